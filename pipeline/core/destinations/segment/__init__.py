"""Segment's event names, records and limits. Pure."""
