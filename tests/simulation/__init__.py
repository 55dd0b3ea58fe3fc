"""A simulation of commits and delivery: real ledgers, lanes and packing in a scripted world, in virtual time.

A seed draws a `scenario` (a small world and a list of decisions). The `world` carries out one decision after another: a
`broker` with logs, a consumer group and commits; a `destination` that accepts, refuses and does not answer; `worker`s
that are killed, drained, cut off and removed from the group. `promises` are checked at every effect and after every
decision. Then all faults end, and everything must be settled and committed within a bounded time. Decisions select
among what exists (modulo), so any part of a list is a valid scenario too: `shrinking` finds the shortest that still
fails.

The ledger, the lanes, packing, checks and `decide` are the real ones. What cannot run without its I/O is reimplemented:
`worker` and `commits` do what `BatchConsumer` and `Fetching` do, `lane_runner` does what `LaneDriver` does.
"""
