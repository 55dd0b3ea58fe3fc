"""Metrics, with one method for each fact."""
