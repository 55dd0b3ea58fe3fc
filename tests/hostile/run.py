"""Run every part of the collection on one Kafka, and gather the results."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tests.hostile.collection import hostile_messages
from tests.hostile.play_answers import play_answers
from tests.hostile.play_messages import play_messages
from tests.hostile.play_operators import play_operators
from tests.hostile.play_situations import play_situations
from tests.hostile.situations import situations
from tests.hostile.stage import Grounds
from tests.kafka_server import KafkaServer

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Collection, Sequence
    from pathlib import Path

    from tests.hostile.results import CaseResult

    Results = AsyncGenerator[list[CaseResult]]


class Part(StrEnum):
    """The parts that can be run separately."""

    MESSAGES = "messages"
    ANSWERS = "answers"
    OPERATORS = "operators"
    TOPICS = "topics"
    CLOCKS = "clocks"


_SHOWN: Final = 160
LANES: Final = ((Part.MESSAGES, Part.TOPICS, Part.CLOCKS), (Part.ANSWERS, Part.OPERATORS))
"""The parts that run side by side: most of the time they wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How much is run: every nth answer and operator input; `limit_seconds` bounds the whole run."""

    short: bool
    answers_every: int
    operators_every: int
    seconds: float
    limit_seconds: float


FULL: Final = Form(short=False, answers_every=1, operators_every=1, seconds=60.0, limit_seconds=3_600.0)
SHORT: Final = Form(short=True, answers_every=3, operators_every=10, seconds=30.0, limit_seconds=300.0)


@dataclass(slots=True, kw_only=True)
class Gathered:
    """The results of the cases, and which parts could not be completed, with the reason."""

    results: list[CaseResult] = field(default_factory=list)
    unplayed: list[str] = field(default_factory=list)


async def run(
    form: Form, parts: Collection[Part], folder: Path, tell: Callable[[str], None], *, kinds: str = ""
) -> Gathered:
    """Run the parts; of the messages, only those whose kind contains `kinds`."""
    gathered = Gathered()
    stored = folder / "kafka"
    with KafkaServer(properties=lambda *_ports: {"log.dirs": str(stored)}) as kafka:
        tell("Kafka is running")
        grounds = Grounds(kafka=kafka, stored=stored, folder=folder, tell=tell)
        lanes = [[part for part in lane if part in parts] for lane in LANES]
        try:
            async with asyncio.timeout(form.limit_seconds), asyncio.TaskGroup() as group:
                for lane in lanes:
                    group.create_task(_lane(grounds, form, lane, gathered, kinds=kinds))
        except TimeoutError:
            gathered.unplayed.append(f"the run had not ended after {form.limit_seconds:.0f} s")
    return gathered


async def _lane(grounds: Grounds, form: Form, lane: Sequence[Part], gathered: Gathered, *, kinds: str) -> None:
    for part in lane:
        try:
            await _gather(grounds, part, _played(grounds, form, part, kinds=kinds), gathered)
        except Exception as error:  # noqa: BLE001 -- whatever it was, the other parts are played
            gathered.unplayed.append(f"{part}: {error!r}")
            grounds.tell(f"{part} could not be completed: {error!r}")


async def _gather(grounds: Grounds, part: Part, playing: Results, gathered: Gathered) -> None:
    cases = failed = 0
    async with aclosing(playing):
        async for results in playing:
            gathered.results += results
            cases += len(results)
            failed += sum(not each.passed for each in results)
            broken = next((f": {each.name}: {each.evidence()}"[:_SHOWN] for each in results if not each.passed), "")
            grounds.tell(f"{part}: {cases} run, {failed} failed{broken}")


def _played(grounds: Grounds, form: Form, part: Part, *, kinds: str) -> Results:
    surroundings = situations(short=form.short)
    match part:
        case Part.MESSAGES:
            messages = [each for each in hostile_messages(short=form.short) if kinds in each.sort]
            return play_messages(grounds, messages, seconds=form.seconds, at_once=2, apart=not form.short)
        case Part.ANSWERS:
            return play_answers(grounds, sinks=4, every=form.answers_every)
        case Part.OPERATORS:
            return play_operators(at_once=2, every=form.operators_every)
        case Part.TOPICS:
            return play_situations(grounds, [each for each in surroundings if not each.clock_seconds], at_once=3)
        case Part.CLOCKS:
            return play_situations(grounds, [each for each in surroundings if each.clock_seconds], at_once=3)
