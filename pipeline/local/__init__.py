"""What `demo` needs: embedded broker, Segment stand-in, traffic generator."""
