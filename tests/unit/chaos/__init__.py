"""The accounts of the chaos must notice what they are there for."""
