"""The processor's task on Kafka Streams: a Java program, its compilation and its dependencies."""
