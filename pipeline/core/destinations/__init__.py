"""One folder or module for each destination: its event names, records, limits and MTU rules. Pure."""
