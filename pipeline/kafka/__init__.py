"""Kafka without Faust."""
