"""What the pipeline costs at steady rates, beside the same job written by hand and on Kafka Streams.

`measure.py` shows the whole run. Every contestant reads a feed of its own: after a while of warming, the CPU of whole
processes is read at both ends of short parts of a window, and the median part counts. Latency runs from an event's
time, which is that of its writing, to the destination's 200.
"""
