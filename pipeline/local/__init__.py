"""The local environment of `demo` and `traffic`: embedded broker, Segment stand-in and traffic generator."""
