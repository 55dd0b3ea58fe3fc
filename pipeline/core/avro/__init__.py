"""Avro: the contracts of what is in Kafka, and how bodies in it are read and written. Pure, as all of the core."""
