"""The lanes of kills, and of disruptions of workers, broker, network and group."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import TYPE_CHECKING, Final

from pipeline.local.stand_ins.faults import AnswerStatus
from pipeline.settings.choices import Role
from tests.chaos.members import Passerby
from tests.chaos.plan import disruptions
from tests.chaos.stage import POLL_INTERVAL_SECONDS, SESSION_SECONDS
from tests.integration.pipeline_processes import SEGMENT_ROLES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from tests.chaos.crew import Slot
    from tests.chaos.stage import Stage

_SETTLE_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2
_MEMBER_SECONDS: Final = 2.0
_SLOW_SECONDS: Final = 0.15
_BEYOND: Final = 1.5


async def kill_at_random(stage: Stage) -> None:
    """Send SIGKILL to processors and sinks at random moments; the slot is filled again at once."""
    while stage.crew.kills < stage.form.kills:
        await stage.rest(stage.form.kill_gap_seconds)
        role = SEGMENT_ROLES[stage.crew.kills % len(SEGMENT_ROLES)]
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


def _zombie(role: Role) -> Callable[[Stage], Awaitable[None]]:
    """Stop a process for longer than the session timeout: the group continues without it, and it does not know."""

    async def freeze(stage: Stage) -> None:
        slot = stage.chance.choice(stage.crew.of(role))
        async with slot.lock:
            await _ready(slot)
            if stage.crew.signal(slot, signal.SIGSTOP):
                await asyncio.sleep(SESSION_SECONDS + _BEYOND)
                stage.crew.signal(slot, signal.SIGCONT)

    return freeze


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
    """Let a plain member join and leave both groups in turn; after that everything must be settled within a minute."""
    groups = ((stage.names.sink_group, stage.names.records), (stage.names.processor_group, stage.names.raw))
    deadline = time.monotonic() + stage.form.churn_seconds
    turn = 0
    while time.monotonic() < deadline:
        group, topic = groups[turn % len(groups)]
        turn += 1
        stage.disruptions += 2
        async with Passerby(stage.kafka.bootstrap_servers, group, topic):
            await asyncio.sleep(_MEMBER_SECONDS)
    stage.tell(f"members come and go: {turn} joined and left")
    await _lag_is_zero(stage)


async def _lag_is_zero(stage: Stage) -> None:
    """Pause all other faults, and wait until both groups have committed all that was written."""
    stage.go.clear()
    stage.writer.running.clear()
    try:
        async with stage.segment_lock:
            await stage.crew.all_ready()
            started = time.monotonic()
            samples = stage.sampler.ledger.samples
            while stage.sampler.ledger.samples < samples + 2 or stage.sampler.lag > 0:
                if time.monotonic() > started + _SETTLE_SECONDS:
                    stage.broken.append(f"lag {stage.sampler.lag} is left {_SETTLE_SECONDS:.0f} s after the members")
                    return
                await asyncio.sleep(_LOOK_SECONDS)
            stage.lag_after_churn_seconds.append(round(time.monotonic() - started, 1))
    finally:
        stage.writer.running.set()
        stage.go.set()


async def _segment_unavailable(stage: Stage) -> None:
    """Make Segment unavailable for longer than the poll interval, with a rebalance in the middle of it."""
    async with stage.segment_lock:
        stage.segment.faults.order(AnswerStatus(status=503), times=None)
        try:
            await asyncio.sleep(POLL_INTERVAL_SECONDS / 2)
            async with Passerby(stage.kafka.bootstrap_servers, stage.names.sink_group, stage.names.records):
                await asyncio.sleep(POLL_INTERVAL_SECONDS / 2 + _BEYOND)
        finally:
            stage.segment.faults.clear()


async def _rolling_restart(stage: Stage) -> None:
    """Replace every worker, one after another in each role."""
    await asyncio.gather(*(_roll(stage, role) for role in SEGMENT_ROLES))


async def _roll(stage: Stage, role: Role) -> None:
    for slot in stage.crew.of(role):
        async with slot.lock:
            await _ready(slot)
            stage.disruptions += 1
            await stage.crew.replace(slot)


_DISRUPTIONS: Final[Mapping[str, Callable[[Stage], Awaitable[None]]]] = {
    "zombie processor": _zombie(Role.PROCESSOR),
    "zombie sink": _zombie(Role.SEGMENT_SINK),
    "broker frozen": _broker_frozen,
    "broker stopped and started": _broker_restarted(crash=False),
    "broker killed and started": _broker_restarted(crash=True),
    "network cut": _network_cut,
    "network silent": _network_silent,
    "network slow": _network_slow,
    "members come and go": _members_come_and_go,
    "Segment unavailable": _segment_unavailable,
    "rolling restart": _rolling_restart,
}
