"""Import, export and count tracked users."""
