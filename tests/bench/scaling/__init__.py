"""Whether an event of a backlog costs the same with more workers, partitions and tracked users.

Both sides of a comparison keep running. In each round both drain a backlog, one right after another, so that a ratio is
computed while the machine is equally busy.
"""
