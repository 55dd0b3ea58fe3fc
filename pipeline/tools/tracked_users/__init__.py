"""Users who are tracked: taken in from a file, written to one, and counted."""
