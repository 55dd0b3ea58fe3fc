"""Avro: the contracts of the data in Kafka, and the reading and writing of Avro bodies. Pure, like all of the core."""
