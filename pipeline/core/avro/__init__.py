"""Avro: what the pipeline's messages look like in it, and how they are read and written."""
