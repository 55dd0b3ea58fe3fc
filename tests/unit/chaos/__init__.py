"""The evaluation of the chaos test notices every kind of violation."""
