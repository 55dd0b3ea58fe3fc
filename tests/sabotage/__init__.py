"""Mistakes that the unit tests must notice, each applied by itself."""
