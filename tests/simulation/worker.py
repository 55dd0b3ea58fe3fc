"""One worker: a real ledger, real lanes, and the transport between them without threads and an event loop."""

from __future__ import annotations

from collections import deque
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pipeline.delivery.limits import LearntLimits
from pipeline.kafka.fetched.messages import FetchedMessage
from pipeline.kafka.headers import FORMAT_VERSION, RECORD_FORMAT
from pipeline.stream.ledger import Position, TopicPartition
from tests.fakes.moody_breaker import MoodyBreaker
from tests.simulation.broker import NEVER
from tests.simulation.commits import Commits
from tests.simulation.lane_runner import POLICY, LaneRunner
from tests.simulation.promises import BrokenPromiseError, Promise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.stream.ledger import DeliveredBatch
    from tests.simulation.world import World

FLUSH_SECONDS: Final = 1.0
HEARTBEAT_SECONDS: Final = 3.0
REVOKE_SECONDS: Final = 5.0
DRAIN_SECONDS: Final = 20.0
_HEADERS: Final = ((FORMAT_VERSION, RECORD_FORMAT),)
_REMEMBERED: Final = 8


class Stage(StrEnum):
    """The relation of a worker to its group."""

    JOINING = "joining"
    POSITIONING = "positioning"
    LIVE = "live"
    SETTLING = "settling"
    COMMITTING = "committing"
    GONE = "gone"


class Worker:
    """A process. ``reachable``: it can communicate with its group; ``running``: it is not stopped."""

    def __init__(self, number: int, world: World) -> None:
        self.name = f"w{number}"
        self.world = world
        self.stage = Stage.JOINING
        self.reachable = True
        self.running = True
        self.pause_until = 0.0
        self.wake_at = 0.0
        self.awake = True
        self.moved = False
        self.ledger = world.parts.ledger(on_settled=self._on_settled)
        self.member = world.broker.group.join(None, world.now)
        self._given_up: deque[DeliveredBatch] = deque(maxlen=_REMEMBERED)
        self.generation = 0
        self.in_hand: list[DeliveredBatch] = []
        self._received = 0
        self._ending = False
        self._positions: dict[TopicPartition, int] = {}
        self._epoch = 0
        self._live_epoch: int | None = None
        self._fetched: tuple[int, deque[tuple[TopicPartition, Sequence[FetchedMessage]]], dict[TopicPartition, int]]
        self._fetched = (0, deque(), {})
        self._heartbeat_at = 0.0
        self._revoke_until = NEVER
        self._commits: Commits = Commits(self)
        self.limits = LearntLimits(world.api.limits)
        self.breaker = MoodyBreaker()
        self.lanes = [
            LaneRunner(
                lane,
                world.parts.lane(
                    api=world.api,
                    limits=self.limits,
                    flush_interval_seconds=FLUSH_SECONDS,
                    breaker=self.breaker,
                    hold_seconds=POLICY.max_seconds,
                ),
                self,
            )
            for lane in range(world.setup.lanes)
        ]

    @property
    def alive(self) -> bool:
        return self.stage is not Stage.GONE

    # ---- what happens to it

    def kill(self) -> None:
        """Lose everything at once. What is under way may still arrive."""
        self.stage = Stage.GONE
        for lane in self.lanes:
            lane.abandon()

    def drain(self) -> None:
        """Settle what is in hand, commit, leave."""
        if self.stage is Stage.LIVE and self.running and not self._ending:
            self._ending = True
            self.wake()
            self._stop_flow()
            for lane in self.lanes:
                lane.drain(deadline=self.world.now + DRAIN_SECONDS)

    def heartbeat_now(self) -> None:
        self._heartbeat_at = self.world.now
        self.wake()

    def cut_off(self) -> None:
        """Lose the connection to the group. Messages can still be fetched and sent."""
        self.reachable = False
        self.wake()

    def heal(self) -> None:
        self.running = self.reachable = True
        self.breaker.says_no = False
        self.wake()

    def wake(self) -> None:
        self.awake = True

    def _on_settled(self) -> None:
        self._commits.settled()

    def fetch(self, most: int) -> None:
        """Fetch up to ``most`` messages of partitions that have room, if the last fetch was delivered."""
        if self.stage is not Stage.LIVE or not self.running or self._ending or self._fetched[2]:
            return
        records: deque[tuple[TopicPartition, Sequence[FetchedMessage]]] = deque()
        positions: dict[TopicPartition, int] = {}
        for partition in self.ledger.partitions():
            if self.ledger.messages_of(partition) >= self.world.setup.max_messages_in_hand or most <= 0:
                continue
            logged, positions[partition] = self.world.broker.logs[partition].read(self._positions[partition], most)
            most -= len(logged)
            if logged:
                messages = [
                    FetchedMessage(
                        partition.topic, partition.partition, message.offset, 0, b"key", message.value, _HEADERS
                    )
                    for message in logged
                ]
                records.append((partition, messages))
        if all(self._positions[partition] == position for partition, position in positions.items()):
            return
        self._positions.update(positions)
        self._fetched = (self._epoch, records, positions)
        if self.world.telling:
            offsets = [f"p{at.partition}@{'+'.join(str(m.offset) for m in messages)}" for at, messages in records]
            self.world.tell("%s: fetches %s", self.name, ", ".join(offsets) or "nothing but offsets")
        self.wake()

    def settled_elsewhere(self) -> list[DeliveredBatch]:
        """Return batches, in hand or given up, that may be acknowledged though no lane of this worker has settled them.

        Others have settled every message, or may do so in any order.
        """
        promises, any_order = self.world.broker.promises, self.world.setup.any_order
        return [
            batch
            for batch in (*self._given_up, *self.in_hand)
            if not batch.acknowledged and (any_order or promises.unsettled(batch.messages) is None)
        ]

    # ---- what it does

    def run(self) -> None:
        """Continue until there is nothing to do before the given time."""
        if not (self.running and self.alive):
            return
        self.awake, self.moved = False, True
        while (
            self._heartbeat()
            | self._join()
            | self._deliver()
            | self._run_lanes()
            | self._let_go()
            | self._commits.go_on()
        ):
            pass
        timers = [lane.wake_at() for lane in self.lanes]
        if self.reachable and self.stage is Stage.LIVE:
            timers.append(self._heartbeat_at)
        timers += [self._commits.wake_at(), self._revoke_until]
        self.wake_at = min(timers)

    def check(self) -> None:
        """Check counts."""
        self.moved = False
        accepted = sum(lane.accepted for lane in self.lanes)
        rejected = sum(lane.rejected for lane in self.lanes)
        given_back = sum(lane.given_back for lane in self.lanes)
        in_hand = sum(lane.lane.records_in_hand for lane in self.lanes)
        if self._received != accepted + rejected + in_hand + given_back:
            raise BrokenPromiseError(
                Promise.SUM, f"{self.name}: {self._received} = {accepted} + {rejected} + {in_hand} + {given_back}"
            )

    def idle(self) -> bool:
        """Return whether the worker has nothing in hand."""
        return not self.ledger.messages_in_hand() and not any(
            lane.lane.records_in_hand or lane.lane.bytes_in_hand or lane.request or lane.storing for lane in self.lanes
        )

    # ---- the group

    def _heartbeat(self) -> bool:
        if self.stage is not Stage.LIVE or not self.reachable or self.world.now < self._heartbeat_at:
            return False
        self._heartbeat_at = self.world.now + HEARTBEAT_SECONDS
        if self.world.broker.group.is_current(self.member, self.generation):
            return False
        self._stop_flow()
        self.stage = Stage.SETTLING
        deadline = self.world.now + REVOKE_SECONDS
        for lane in self.lanes:
            lane.revoke(self.ledger.partitions(), deadline=deadline)
        removed = "" if self.member in self.world.broker.group.heard else "was removed from the group and "
        self.world.tell("%s: %sgives its partitions up", self.name, removed)
        return True

    def _join(self) -> bool:
        group = self.world.broker.group
        if not self.reachable:
            return False
        if self.stage is Stage.JOINING and group.preparing_since is None and self.member in group.heard:
            self.generation = group.generation
            self.stage = Stage.POSITIONING
            return True
        if self.stage is Stage.JOINING and self.member not in group.heard:
            self.member = group.join(self.member, self.world.now)
            return True
        if self.stage is Stage.POSITIONING:
            self._reposition()
            return True
        return False

    def _reposition(self) -> None:
        group = self.world.broker.group
        positions = {
            partition: Position(group.committed.get(partition, 0), partition in group.committed)
            for partition in group.assignment.get(self.member, ())
        }
        self._positions = {partition: position.offset for partition, position in positions.items()}
        self._epoch += 1
        self._live_epoch = self._epoch
        self.ledger.assign(positions)
        self.stage = Stage.LIVE
        self._heartbeat_at = self.world.now + HEARTBEAT_SECONDS
        self.world.tell("%s: reads %s", self.name, {p.partition: at.offset for p, at in positions.items()})

    def _stop_flow(self) -> None:
        self._live_epoch = None

    # ---- fetched messages

    def _deliver(self) -> bool:
        epoch, records, positions = self._fetched
        if not positions:
            return False
        if epoch != self._live_epoch:
            self.world.tell("%s: fetched before a rebalance, discarded", self.name)
            self._fetched = (0, deque(), {})
            return True
        while records:
            partition, messages = records.popleft()
            in_hand = self.ledger.messages_of(partition)
            if in_hand >= self.world.setup.max_messages_in_hand:
                raise BrokenPromiseError(Promise.BOUND, f"{self.name}: {in_hand} messages of p{partition.partition}")
            batch = self.ledger.deliver(partition, messages)
            self.in_hand = [other for other in self.in_hand if not other.acknowledged]
            self.in_hand.append(batch)
            self._received += len(messages)
            self.lanes[partition.partition % len(self.lanes)].accept(batch)
        self.ledger.read(positions)
        self._fetched = (0, deque(), {})
        return True

    def _run_lanes(self) -> bool:
        moved = False
        for lane in self.lanes:
            moved |= lane.run()
        return moved

    # ---- the end of an assignment

    def _let_go(self) -> bool:
        """Run the stages in which an assignment ends: settle, commit, leave."""
        now = self.world.now
        if self.stage is Stage.SETTLING or (self._ending and self.stage is Stage.LIVE):
            if any(lane.leaving or lane.draining for lane in self.lanes):
                return False
            self.stage = Stage.COMMITTING
            self._revoke_until = now + REVOKE_SECONDS
            self._commits.prepare_last()
            return True
        if self.stage is not Stage.COMMITTING:
            return False
        if now < self._revoke_until and not self._commits.last_has_ended():
            return False
        self._leave_assignment()
        return True

    def _leave_assignment(self) -> None:
        self._commits.abandon()
        self._revoke_until = NEVER
        group, partitions = self.world.broker.group, self.ledger.partitions()
        if not self._ending and any(lane.carries(partitions) for lane in self.lanes):
            raise BrokenPromiseError(Promise.OWNERSHIP, f"{self.name} has something under way of what it gave up")
        self.ledger.revoke(partitions)
        self._given_up.extend(batch for batch in self.in_hand if not batch.acknowledged)
        self.in_hand.clear()
        if self._ending:
            self.kill()
            if self.reachable:
                group.leave(self.member, self.world.now)
            return
        self.stage = Stage.JOINING
        if self.reachable:
            self.member = group.join(self.member, self.world.now)
