"""What can happen in the world: one function for each kind of decision."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.simulation.scenario import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.stream.ledger import TopicPartition
    from tests.simulation.scenario import Decision
    from tests.simulation.worker import Worker
    from tests.simulation.world import World

_WAITS: Final = (0.0, 0.05, 0.1, 0.3, 0.5, 1.0, 1.0, 1.0, 3.0, 3.0, 7.0, 16.0, 40.0)
_PADDINGS: Final = (0, 5, 40, 80)


def perform(world: World, decision: Decision) -> None:
    """Carry out one decision, let the workers react, then check counts."""
    _HAPPENINGS[decision.kind](world, decision)
    if decision.eager:
        world.react()
    world.check()


def _write(world: World, decision: Decision) -> None:
    partition, amount = _partition(world, decision), decision.amount
    for shift in range(1 + amount % 4):
        bits = amount >> (2 + 7 * shift)
        text = world.broker.write(partition, user=bits & 1, kind=bits >> 1 & 7, padding=_PADDINGS[bits >> 4 & 3])
        world.tell("p%d@%d: %s", partition.partition, world.broker.logs[partition].end - 1, text)


def _write_again(world: World, decision: Decision) -> None:
    partition = _partition(world, decision)
    count = world.broker.write_again(partition, 1 + decision.amount % 4)
    world.tell("p%d: its last %d messages are written again", partition.partition, count)


def _leave_a_gap(world: World, decision: Decision) -> None:
    partition = _partition(world, decision)
    world.broker.logs[partition].leave_gap(1 + decision.amount % 3)
    world.tell("p%d: offsets without messages, up to %d", partition.partition, world.broker.logs[partition].end)


def _compact(world: World, decision: Decision) -> None:
    partition = _partition(world, decision)
    offset = world.broker.compact(partition, decision.amount)
    if offset is not None:
        world.tell("p%d@%d is compacted away", partition.partition, offset)


def _fetch(world: World, decision: Decision) -> None:
    worker = _worker(world, decision)
    if worker is not None:
        worker.fetch(1 + decision.amount % world.setup.max_fetch)


def _answer(world: World, decision: Decision) -> None:
    requests = world.destination.requests
    if requests:
        request = requests[decision.pick % len(requests)]
        outcome = world.destination.answer_somehow(request, decision.amount)
        remark = ", arrives after its sender has gone" if request.abandoned else ""
        world.tell("the destination to %s: %s%s", request.lane, outcome.name, remark)


def _store(world: World, decision: Decision) -> None:
    stores = world.broker.stores
    if stores:
        request = stores[decision.pick % len(stores)]
        world.broker.keep(request, confirms=bool(decision.amount % 4))
        world.tell("%d dead letters are stored, confirmed: %s", len(request.letters), request.confirmed)


def _commit(world: World, decision: Decision) -> None:
    commits = world.broker.commits
    if commits:
        request = commits[decision.pick % len(commits)]
        if not world.broker.group.knows(request.member, request.generation):
            world.tell("a commit of a past generation: refused")
        applied = world.broker.answer(request, applies=bool(decision.amount % 6), confirms=bool(decision.amount % 5))
        world.tell("a commit: applied: %s, confirmed: %s", applied, request.stored)


def _wait(world: World, decision: Decision) -> None:
    world.advance(_WAITS[decision.amount % len(_WAITS)])


def _heartbeat(world: World, decision: Decision) -> None:
    worker = _worker(world, decision)
    if worker is not None:
        worker.heartbeat_now()


def _start(world: World, decision: Decision) -> None:
    if len(world.workers) < world.setup.workers + decision.amount % 2:
        world.begin_worker()


def _kill(world: World, decision: Decision) -> None:
    worker = _worker(world, decision)
    if worker is not None:
        world.tell("%s is killed", worker.name)
        worker.kill()
        world.workers.remove(worker)


def _drain(world: World, decision: Decision) -> None:
    worker = _worker(world, decision)
    if worker is not None:
        world.tell("%s is drained", worker.name)
        worker.drain()


def _rebalance(world: World, decision: Decision) -> None:
    del decision
    world.tell("a rebalance begins")
    world.broker.group.prepare(world.now)


def _cut_off(world: World, decision: Decision) -> None:
    worker = _worker(world, decision)
    if worker is not None:
        world.tell("%s is cut off from its group", worker.name)
        worker.cut_off()


def _stop(world: World, decision: Decision) -> None:
    worker = _worker(world, decision)
    if worker is not None:
        world.tell("%s is stopped", worker.name)
        worker.running = False


def _heal(world: World, decision: Decision) -> None:
    worker = _worker(world, decision)
    if worker is not None:
        world.tell("%s is healed", worker.name)
        worker.heal()


def _acknowledge(world: World, decision: Decision) -> None:
    """Acknowledge a batch, in hand or given up, that is settled for another reason than its lane's."""
    worker = _worker(world, decision)
    settled = [] if worker is None else worker.settled_elsewhere()
    if worker is not None and settled:
        batch = settled[decision.amount % len(settled)]
        world.broker.promises.settle(batch.messages)
        first, last = batch.messages[0].offset, batch.messages[-1].offset
        late = "" if batch in worker.in_hand else "given up and late, "
        world.tell("p%d@%d to %d: %ssettled elsewhere", batch.partition, first, last, late)
        batch.acknowledge()
        world.wake_all()


def _breaker(world: World, decision: Decision) -> None:
    worker = _worker(world, decision)
    if worker is not None:
        worker.breaker.says_no = bool(decision.amount % 3)
        world.tell("%s: the breaker says %s", worker.name, "no" if worker.breaker.says_no else "yes")


def _partition(world: World, decision: Decision) -> TopicPartition:
    partitions = world.broker.group.partitions
    return partitions[decision.pick % len(partitions)]


def _worker(world: World, decision: Decision) -> Worker | None:
    return world.workers[decision.pick % len(world.workers)] if world.workers else None


_HAPPENINGS: Final[Mapping[Kind, Callable[[World, Decision], None]]] = {
    Kind.WRITE: _write,
    Kind.WRITE_AGAIN: _write_again,
    Kind.LEAVE_A_GAP: _leave_a_gap,
    Kind.COMPACT: _compact,
    Kind.FETCH: _fetch,
    Kind.ANSWER: _answer,
    Kind.STORE: _store,
    Kind.COMMIT: _commit,
    Kind.WAIT: _wait,
    Kind.HEARTBEAT: _heartbeat,
    Kind.START: _start,
    Kind.KILL: _kill,
    Kind.DRAIN: _drain,
    Kind.REBALANCE: _rebalance,
    Kind.CUT_OFF: _cut_off,
    Kind.STOP: _stop,
    Kind.HEAL: _heal,
    Kind.ACKNOWLEDGE: _acknowledge,
    Kind.BREAKER: _breaker,
}
