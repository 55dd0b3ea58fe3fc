"""Measure the cost of a rule set in `rules what-if` relative to `process()` for the same messages: at most 1.5 times.

Run it with ``python -m tests.bench.what_if_benchmark``. Traffic of the demo's generator; figures are CPU microseconds
per message. The cost of a set is that of a count under several sets, divided by their number: decoding is shared. The
contenders take turns, and the median of the rounds counts.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Final

from pipeline.core.billing_month import BillingMonth
from pipeline.core.policy import Policy
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.processing import STATELESS, process
from pipeline.core.rules_file import parse_rules
from pipeline.local.traffic import traffic
from pipeline.tools.what_if.counting import Count
from pipeline.tools.what_if.tally import RuleSet
from tests.builders import SEGMENT, STORED_AT, RawMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EVENTS: Final = 40_000
_BATCH: Final = 1_000
_ROUNDS: Final = 9
_BAR: Final = 1.5
_EVERYTHING: Final = RuleSet(name="keep-all", rules=preset_rules(Preset.KEEP_ALL))
_TRACKED: Final = RuleSet(
    name="tracked",
    rules=parse_rules("rules:\n  - {when: {category: delivery}, then: tracked_only}\n", filename="tracked.yaml"),
)
_OTHERS: Final = [
    RuleSet(name=preset.value, rules=preset_rules(preset))
    for preset in (Preset.CURB_SENT_AND_DISPLAYED, Preset.ENGAGEMENT_ONLY)
]


def _processed(messages: Sequence[RawMessage]) -> None:
    policy = Policy(records=SEGMENT)
    for message in messages:
        process(message, policy, STATELESS)


def _counted(messages: Sequence[RawMessage], sets: Sequence[RuleSet], exact_users: int) -> None:
    count = Count(
        sets,
        _EVERYTHING,
        policy=Policy(records=SEGMENT),
        billing_month=BillingMonth(),
        exact_users=exact_users,
    )
    for begin in range(0, len(messages), _BATCH):
        count.count(messages[begin : begin + _BATCH])


def main() -> int:
    """Print the table; the exit code is 0 if the bar was met."""
    messages = [
        RawMessage(value=message.value, offset=offset, timestamp=STORED_AT + 20_000 * offset)
        for offset, message in enumerate(traffic(seed=1, events=_EVENTS))
    ]
    several = [_EVERYTHING, *_OTHERS, _TRACKED]
    contenders: dict[str, tuple[int, Callable[[], None]]] = {
        "process(), keep-all": (1, lambda: _processed(messages)),
        "what-if, one set": (1, lambda: _counted(messages, [_EVERYTHING], 10**9)),
        "what-if, two sets, one of them tracked_only": (2, lambda: _counted(messages, [_EVERYTHING, _TRACKED], 10**9)),
        "what-if, four sets": (4, lambda: _counted(messages, several, 10**9)),
        "what-if, one set, by sketches": (1, lambda: _counted(messages, [_EVERYTHING], 0)),
        "what-if, four sets, by sketches": (4, lambda: _counted(messages, several, 0)),
    }
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(_ROUNDS):
        for name, (sets, job) in contenders.items():
            started = time.process_time()
            job()
            rounds[name].append((time.process_time() - started) / sets / len(messages) * 1e6)
    medians = {name: statistics.median(found) for name, found in rounds.items()}
    plain = next(iter(medians.values()))
    print(f"{'CPU µs per message and rule set':<48}{'median':>8}{'fastest':>9}{'ratio':>7}")
    for name, median in medians.items():
        print(f"{name:<48}{median:>8.2f}{min(rounds[name]):>9.2f}{median / plain:>7.2f}")
    kept = max(medians.values()) <= _BAR * plain
    print(f"bar: {_BAR} x process() for each rule set: {'met' if kept else 'MISS'}")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
