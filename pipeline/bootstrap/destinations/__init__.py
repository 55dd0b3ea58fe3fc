"""The destinations: how each is built from the settings, one module each."""
