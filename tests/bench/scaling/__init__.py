"""Whether an event of a backlog costs the same however the work is spread: workers, partitions, tracked users.

Both sides of a comparison stay up. In each round both drain a backlog, one right after the other, so that a ratio is
taken where the machine was equally busy.
"""
