"""Compare the cost of `process` with that at a commit, in one process: `python -m tests.bench core --before COMMIT`.

Both versions take turns, and the fastest turn of each counts: everything that another program does to a turn makes it
slower. Each version is loaded twice, since the same code runs up to 1 % faster or slower depending on where its objects
lie in memory. The worse of two cases is the result: different events, as the other measurements read them, and the same
event repeated.
"""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from tests.bench.traffic import events
from tests.bench.verdicts import Verdict
from tests.bench.versions import WORKING_TREE, load_version, tree_of
from tests.builders import RawMessage, raw_event, raw_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tests.bench.versions import Version

    Turn = Callable[[], None]

ROUNDS: Final = 81
BAR: Final = 1.08
MESSAGES: Final = 4_000
"""Messages of one turn, about 20 ms."""
_WARM_UP_TURNS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one case, in CPU microseconds per message."""

    case: str
    before: float
    now: float

    @property
    def ratio(self) -> float:
        return self.now / self.before


def compare_core(commit: str, *, rounds: int = ROUNDS) -> tuple[Cost, ...]:
    """Measure every case in both versions.

    Raises:
        VersionError: the commit cannot be loaded.
    """
    with tree_of(commit) as tree:
        first, second, third, fourth = (load_version(root) for root in (tree, WORKING_TREE, WORKING_TREE, tree))
    versions = ((first, fourth), (second, third))
    return tuple(_measured(case, messages, versions, rounds) for case, messages in _cases().items())


def _cases() -> Mapping[str, Sequence[RawMessage]]:
    traffic = [RawMessage(value=value, key=key, offset=offset) for offset, (key, value) in enumerate(events(MESSAGES))]
    return {"the bench's traffic": traffic, "the default event": [raw_message(raw_event())] * MESSAGES}


def _measured(case: str, messages: Sequence[RawMessage], versions: Sequence[Sequence[Version]], rounds: int) -> Cost:
    """Measure the versions before and now, each loaded twice."""
    turns = [[_turn(version, messages) for version in copies] for copies in versions]
    for turn in (*turns[0], *turns[1]) * _WARM_UP_TURNS:
        turn()
    fastest = [float("inf"), float("inf")]
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            for index in (number % 2, 1 - number % 2):
                turn = turns[index][number // 2 % 2]
                started = time.process_time_ns()
                turn()
                fastest[index] = min(fastest[index], time.process_time_ns() - started)
    finally:
        gc.enable()
    each = len(messages) * 1_000
    return Cost(case=case, before=fastest[0] / each, now=fastest[1] / each)


def _turn(version: Version, messages: Sequence[RawMessage]) -> Turn:
    process: Any = version.find("core.processing", "process")
    stateless: Any = version.find("core.processing", "STATELESS")
    policy: Any = version.policy()

    def turn() -> None:
        for message in messages:
            process(message, policy, stateless)

    return turn


def worst(costs: Sequence[Cost]) -> Cost:
    """Return the case whose cost rose most."""
    return max(costs, key=lambda cost: cost.ratio)


def core_figures(costs: Sequence[Cost]) -> dict[str, Any]:
    """Return the figures as the report has them."""
    cost = worst(costs)
    figures = {"process_us": round(cost.now, 3), "process_us_before": round(cost.before, 3)}
    return {"core": {**figures, "ratio": round(cost.ratio, 4)}}


def core_table(costs: Sequence[Cost]) -> Table:
    """Build the table of both versions."""
    table = Table("process(), fastest turn", "CPU µs before", "CPU µs now", "ratio")
    for cost in costs:
        table.add_row(cost.case, f"{cost.before:.3f}", f"{cost.now:.3f}", f"{cost.ratio:.3f}")
    for column in table.columns[1:]:
        column.justify = "right"
    return table


def core_verdict(costs: Sequence[Cost]) -> Verdict:
    """Compare the worse ratio with its bar."""
    return Verdict(name="process() relative to the given commit", value=worst(costs).ratio, bar=BAR, unit="x")
