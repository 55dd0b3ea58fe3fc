"""The stand-in for Segment."""
