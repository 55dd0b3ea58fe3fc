"""Runs a step on Kafka with Faust. No role is in here.

Faust is here for the life of a consumer group member: joining and leaving, rebalances, seeking, heartbeats, and the
supervision of all of these as services that start and stop in order. We replace what it does for each message, which
costs 470 µs of CPU: our transport (`transport.py`) delivers everything that one fetch returned as one Faust event, and
the ledger (`ledger.py`) commits the longest acknowledged prefix of each partition. No other package imports Faust.

Start at `worker.py`, then `app.py` and `transport.py`. `step.py` is what a role implements.
"""
