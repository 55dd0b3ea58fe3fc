"""The command line: one module for each group of commands; `pipeline.cli.main` puts them together."""
