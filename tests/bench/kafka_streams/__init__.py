"""The processor's job on Kafka Streams: a Java program, what compiles it, and what it is compiled against."""
