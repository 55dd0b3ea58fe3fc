"""Everything that can break, broken on purpose, and the accounts afterwards: `python -m tests.chaos` (`make chaos`).

A real Kafka behind a TCP proxy, two processors and two sinks as processes, and the Segment stand-in in this process.
Three lanes run side by side: `kills` (SIGKILL at random moments), `upheavals` (broker, network, zombies, members that
come and go, rolling restarts) and `sicknesses` (what Segment answers). `ledger` notes what was written, stored and
accepted, outside the pipeline; `reckoning` decides. A seed fixes the traffic and the order and choice of faults; the
moments are those of a real machine.
"""
