"""The pipeline's cost at steady rates, compared with a hand-written processor and one on Kafka Streams.

`measure.py` shows the whole run. Every contestant reads its own feed: after a warm-up, the CPU of whole processes
is read at both ends of short parts of a window, and the median part counts. Latency runs from an event's time, which is
the time of its writing, to the destination's 200.
"""
