"""Measure the cost of a rule set in `rules what-if` relative to `process()` for the same messages: at most 1.5 times.

Run it with ``python -m tests.bench.what_if_benchmark``. Traffic of the demo's generator; figures are CPU microseconds
per message. The cost of a set is that of a count under several sets, divided by their number: decoding is shared. The
contenders take turns, and the median of the rounds counts. A count for both destinations must cost at most 0.9 times
what one count for each costs, by their fastest rounds.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import TYPE_CHECKING, Final

from pipeline.core.billing_month import BillingMonth
from pipeline.core.classification import Destination
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.policy import Policy
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.processing import STATELESS, process
from pipeline.core.rules_file import parse_rules
from pipeline.local.traffic import traffic
from pipeline.tools.what_if.accounts import Account
from pipeline.tools.what_if.counting import Count
from pipeline.tools.what_if.tally import RuleSet
from tests.builders import SEGMENT, STORED_AT, RawMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_EVENTS: Final = 40_000
_BATCH: Final = 1_000
_ROUNDS: Final = 9
_BAR: Final = 1.5
_BOTH_BAR: Final = 0.9
_EVERYTHING: Final = RuleSet(name="keep-all", rules=preset_rules(Preset.KEEP_ALL))
_TRACKED: Final = RuleSet(
    name="tracked",
    rules=parse_rules("rules:\n  - {when: {category: delivery}, then: tracked_only}\n", filename="tracked.yaml"),
)
_OTHERS: Final = [
    RuleSet(name=preset.value, rules=preset_rules(preset))
    for preset in (Preset.CURB_SENT_AND_DISPLAYED, Preset.ENGAGEMENT_ONLY)
]
_TWO: Final = [_EVERYTHING, _TRACKED]
_SEGMENT: Final = Account(destination=Destination.SEGMENT, policy=Policy(records=SEGMENT), billing_month=BillingMonth())
_MIXPANEL: Final = Account(
    destination=Destination.MIXPANEL, policy=Policy(records=MixpanelRecords()), billing_month=BillingMonth()
)


def _processed(messages: Sequence[RawMessage]) -> None:
    policy = Policy(records=SEGMENT)
    for message in messages:
        process(message, policy, STATELESS)


def _counted(
    messages: Sequence[RawMessage],
    sets: Sequence[RuleSet],
    exact_users: int = 10**9,
    accounts: Sequence[Account] = (_SEGMENT,),
) -> None:
    count = Count(sets, _EVERYTHING, accounts=accounts, exact_users=exact_users)
    for begin in range(0, len(messages), _BATCH):
        count.count(messages[begin : begin + _BATCH])


def main() -> int:
    """Print the table; the exit code is 0 if the bars were met."""
    messages = [
        RawMessage(value=message.value, offset=offset, timestamp=STORED_AT + 20_000 * offset)
        for offset, message in enumerate(traffic(seed=1, events=_EVENTS))
    ]
    several = [_EVERYTHING, *_OTHERS, _TRACKED]
    segment = "what-if, two sets, one of them tracked_only"
    mixpanel, both = f"{segment}, Mixpanel", f"{segment}, both destinations"
    contenders: dict[str, tuple[int, Callable[[], None]]] = {
        "process(), keep-all": (1, lambda: _processed(messages)),
        "what-if, one set": (1, lambda: _counted(messages, [_EVERYTHING])),
        segment: (2, lambda: _counted(messages, _TWO)),
        mixpanel: (2, lambda: _counted(messages, _TWO, accounts=[_MIXPANEL])),
        both: (4, lambda: _counted(messages, _TWO, accounts=[_SEGMENT, _MIXPANEL])),
        "what-if, four sets": (4, lambda: _counted(messages, several)),
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
    print(f"{'CPU µs per message and rule set':<64}{'median':>8}{'fastest':>9}{'ratio':>7}")
    for name, median in medians.items():
        print(f"{name:<64}{median:>8.2f}{min(rounds[name]):>9.2f}{median / plain:>7.2f}")
    kept = max(medians.values()) <= _BAR * plain
    print(f"bar: {_BAR} x process() for each rule set: {'met' if kept else 'MISS'}")
    least = {name: min(found) for name, found in rounds.items()}
    share = 2 * least[both] / (least[segment] + least[mixpanel])
    shared = share <= _BOTH_BAR
    print(
        f"bar: both destinations cost {share:.2f} of one count each, at most {_BOTH_BAR}: {'met' if shared else 'MISS'}"
    )
    return 0 if kept and shared else 1


if __name__ == "__main__":
    sys.exit(main())
