"""The lanes of kills, and of disruptions of workers, broker, network and group."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final

from pipeline.local.stand_ins.faults import AnswerStatus
from tests.chaos.members import Passerby
from tests.chaos.plan import disruptions
from tests.chaos.stage import POLL_INTERVAL_SECONDS, SESSION_SECONDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from pipeline.settings.choices import Role
    from tests.chaos.crew import Slot
    from tests.chaos.destinations import ChaosDestination
    from tests.chaos.stage import Side, Stage

_SETTLE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2
_MEMBER_SECONDS: Final = 2.0
_SLOW_SECONDS: Final = 0.15
_BEYOND: Final = 1.5


async def kill_at_random(stage: Stage) -> None:
    """Send SIGKILL to workers of each role in turn, at random moments; the slot is filled again at once."""
    roles = [role for side in stage.sides for role in side.destination.roles]
    while stage.crew.kills < stage.form.kills:
        await stage.rest(stage.form.kill_gap_seconds)
        role = roles[stage.crew.kills % len(roles)]
        slot = stage.chance.choice(stage.crew.of(role))
        async with slot.lock:
            before = stage.crew.kills
            stage.crew.kill(slot)
            if stage.crew.kills > before:
                stage.inject(f"SIGKILL {role.value}", f"{slot.name}, kill {stage.crew.kills} of {stage.form.kills}")
        await asyncio.sleep(0)


async def disrupt(stage: Stage) -> None:
    """Run every disruption, one after another."""
    for name in disruptions(stage.form, stage.chance):
        await stage.rest()
        stage.inject(name)
        stage.disruptions += 1
        await _DISRUPTIONS[name](stage)
        stage.tell(f"{name} has ended")


def _zombies(role_of: Callable[[ChaosDestination], Role]) -> Callable[[Stage], Awaitable[None]]:
    """Stop a worker of each destination for longer than the session timeout.

    Its group continues without it, and it does not know.
    """

    async def freeze(stage: Stage) -> None:
        roles = [role_of(side.destination) for side in stage.sides]
        await asyncio.gather(*(_freeze(stage, stage.chance.choice(stage.crew.of(role))) for role in roles))

    return freeze


async def _freeze(stage: Stage, slot: Slot) -> None:
    async with slot.lock:
        await _ready(slot)
        if stage.crew.signal(slot, signal.SIGSTOP):
            await asyncio.sleep(SESSION_SECONDS + _BEYOND)
            stage.crew.signal(slot, signal.SIGCONT)


async def _ready(slot: Slot) -> None:
    async with asyncio.timeout(_SETTLE_SECONDS):
        await slot.ready.wait()


async def _broker_frozen(stage: Stage) -> None:
    stage.kafka.freeze()
    try:
        await asyncio.sleep(stage.form.outage_seconds)
    finally:
        stage.kafka.thaw()


def _broker_restarted(*, crash: bool) -> Callable[[Stage], Awaitable[None]]:
    async def restart(stage: Stage) -> None:
        await asyncio.to_thread(stage.kafka.go_down, crash=crash)
        await asyncio.sleep(stage.chance.uniform(0, 1))
        stage.kafka.come_up()  # from this thread: the process is on its leash
        if not await asyncio.to_thread(stage.kafka.answers):
            raise RuntimeError(f"Kafka did not come up again: {stage.kafka.log_file}")

    return restart


async def _network_cut(stage: Stage) -> None:
    stage.proxy.refuses = True
    stage.proxy.reset()
    await asyncio.sleep(stage.form.outage_seconds)
    stage.proxy.heal()


async def _network_silent(stage: Stage) -> None:
    stage.proxy.silence()
    await asyncio.sleep(stage.form.outage_seconds)
    stage.proxy.heal()


async def _network_slow(stage: Stage) -> None:
    stage.proxy.delay_seconds = _SLOW_SECONDS
    await asyncio.sleep(stage.form.outage_seconds)
    stage.proxy.heal()


async def _members_come_and_go(stage: Stage) -> None:
    """Let plain members join and leave all groups in turn; after that everything must be settled within a minute."""
    names = [side.destination.names for side in stage.sides]
    of_sinks = [(each.sink_group, each.records) for each in names]
    of_processors = [(each.processor_group, each.raw) for each in names]
    deadline = time.monotonic() + stage.form.churn_seconds
    turn = 0
    while time.monotonic() < deadline:
        groups = of_processors if turn % 2 else of_sinks
        turn += 1
        stage.disruptions += 2
        async with AsyncExitStack() as members:
            for group, topic in groups:
                await members.enter_async_context(Passerby(stage.kafka.bootstrap_servers, group, topic))
            await asyncio.sleep(_MEMBER_SECONDS)
    stage.tell(f"members come and go: {turn * len(names)} joined and left")
    await _lag_is_zero(stage)


async def _lag_is_zero(stage: Stage) -> None:
    """Pause all other faults, and wait until all groups have committed all that was written."""
    stage.go.clear()
    stage.writer.running.clear()
    try:
        async with AsyncExitStack() as locks:
            for side in stage.sides:
                await locks.enter_async_context(side.lock)
            await stage.crew.all_ready()
            started = time.monotonic()
            samples = stage.samples
            while stage.samples < samples + 2 or stage.lag > 0:
                if time.monotonic() > started + _SETTLE_SECONDS:
                    stage.broken.append(f"lag {stage.lag} is left {_SETTLE_SECONDS:.0f} s after the members")
                    return
                await asyncio.sleep(_LOOK_SECONDS)
            stage.lag_after_churn_seconds.append(round(time.monotonic() - started, 1))
    finally:
        stage.writer.running.set()
        stage.go.set()


async def _destination_unavailable(stage: Stage) -> None:
    """Make each destination unavailable for longer than the poll interval, one after the other."""
    for side in stage.sides:
        await _unavailable(stage, side)


async def _unavailable(stage: Stage, side: Side) -> None:
    """Make a destination unavailable, with a rebalance in the middle of it."""
    names = side.destination.names
    async with side.lock:
        side.stand_in.faults.order(AnswerStatus(status=503), times=None)
        try:
            await asyncio.sleep(POLL_INTERVAL_SECONDS / 2)
            async with Passerby(stage.kafka.bootstrap_servers, names.sink_group, names.records):
                await asyncio.sleep(POLL_INTERVAL_SECONDS / 2 + _BEYOND)
        finally:
            side.stand_in.faults.clear()


async def _rolling_restart(stage: Stage) -> None:
    """Replace every worker, one after another in each role."""
    await asyncio.gather(*(_roll(stage, side, role) for side in stage.sides for role in side.destination.roles))


async def _roll(stage: Stage, side: Side, role: Role) -> None:
    for slot in stage.crew.of(role):
        async with slot.lock:
            await _ready(slot)
            side.disruptions += 1
            await stage.crew.replace(slot)


_DISRUPTIONS: Final[Mapping[str, Callable[[Stage], Awaitable[None]]]] = {
    "zombie processors": _zombies(lambda each: each.processor),
    "zombie sinks": _zombies(lambda each: each.sink),
    "broker frozen": _broker_frozen,
    "broker stopped and started": _broker_restarted(crash=False),
    "broker killed and started": _broker_restarted(crash=True),
    "network cut": _network_cut,
    "network silent": _network_silent,
    "network slow": _network_slow,
    "members come and go": _members_come_and_go,
    "destination unavailable": _destination_unavailable,
    "rolling restart": _rolling_restart,
}
