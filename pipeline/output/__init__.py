"""The only way for commands to write results: lines and tables on a terminal, and files that are replaced whole."""
