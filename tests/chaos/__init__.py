"""Inject every kind of fault, then compare what was written with what arrived: `python -m tests.chaos` (`make chaos`).

A real Kafka behind a TCP proxy, two processors and two sinks as processes, and the Segment stand-in in this process.
Three lanes run side by side: kills (SIGKILL at random moments), disruptions of broker, network, group and workers
(`disruptions`), and what Segment answers (`segment_faults`). `ledger` records what was written, stored and accepted,
outside the pipeline; `reckoning` evaluates it. A seed fixes the traffic and the order and choice of faults; the moments
are those of a real machine.
"""
