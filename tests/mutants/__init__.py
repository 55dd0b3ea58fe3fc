"""Small changes to a module, each of which its own tests should notice: `make mutants ARGS=ledger`."""
