"""The only ways out for what commands answer: lines and tables on a terminal, and files that are written whole."""
