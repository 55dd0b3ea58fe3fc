"""The commit and flush machine, simulated: real ledgers, lanes and packing in a scripted world, in virtual time.

A seed draws a `scenario` (a small world and a list of decisions). The `world` does one decision after the other: a
`broker` with logs, a consumer group and commits; a `destination` that accepts, refuses and keeps silent; `worker`s
that die, stop, are cut off and thrown out of the group. `promises` are checked at every effect and after every
decision; then all faults end, and everything must be settled and committed within a bounded time. Decisions pick
among what is there (modulo), so any part of a list is a story too: `shrinking` finds the shortest that still fails.

Real are the ledger, the lanes, packing, checks and `decide`. Restated is what today cannot run without its I/O:
`worker` and `commits` say what `BatchConsumer` and `Fetching` do, `lane_runner` what `LaneDriver` does.
"""
