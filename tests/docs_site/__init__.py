"""The documentation's site: its build, and what a browser makes of its pages."""
