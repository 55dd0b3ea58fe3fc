"""Measure the pure core: orjson against msgspec, and the whole of `process`.

Run it with ``python -m tests.bench.decode_benchmark``. Figures are CPU microseconds per call: the contenders of a table
take turns in short rounds, each round gives one mean, and the median of the rounds counts. The second figure is the
fastest round, which is more reliable on a busy machine.
"""

from __future__ import annotations

import statistics
import time
from typing import TYPE_CHECKING, Final

import msgspec
import orjson

from pipeline.core.destinations.segment.record import Properties, Track
from pipeline.core.events import Event
from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.processing import STATELESS, process
from pipeline.core.rules_file import parse_rules
from tests.builders import SEGMENT, BodyShape, RawMessage, encode, raw_event, raw_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipeline.core.filters import Rules

    Contenders = Mapping[str, Callable[[], object]]

_ROUNDS: Final = 41
_CALLS: Final = 1_000


def measure(contenders: Contenders, calls: int = _CALLS) -> dict[str, tuple[float, float]]:
    """Return the median and the fastest round of each contender, in CPU microseconds per call."""
    rounds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(_ROUNDS):
        for name, call in contenders.items():
            started = time.process_time_ns()
            for _ in range(calls):
                call()
            rounds[name].append((time.process_time_ns() - started) / calls / 1000)
    return {name: (statistics.median(means), min(means)) for name, means in rounds.items()}


def show(title: str, contenders: Contenders, calls: int = _CALLS) -> None:
    """Print a table; ratios are relative to the first contender."""
    figures = measure(contenders, calls)
    first = next(iter(figures.values()))[0]
    print(f"\n{title:<58}{'median µs':>10}{'fastest':>9}{'ratio':>7}")
    for name, (median, fastest) in figures.items():
        print(f"  {name:<56}{median:>10.2f}{fastest:>9.2f}{median / first:>7.2f}")


def decoders() -> Contenders:
    """Return ways to decode the typical nested event."""
    value = encode(raw_event())
    typed, untyped = msgspec.json.Decoder(Event), msgspec.json.Decoder()
    return {
        "msgspec, into structs": lambda: typed.decode(value),
        "msgspec, into dicts": lambda: untyped.decode(value),
        "orjson, into dicts": lambda: orjson.loads(value),
    }


def flat_decoders() -> Contenders:
    """Return ways to decode the same event with dotted keys, whose spelling is not known in advance."""
    value = encode(raw_event(), BodyShape.DOTTED)
    untyped = msgspec.json.Decoder()
    return {"orjson": lambda: orjson.loads(value), "msgspec": lambda: untyped.decode(value)}


def encoders() -> Contenders:
    """Return ways to build and encode the same record from values that are present; absent ones are omitted."""
    record = orjson.loads(_delivered(raw_message(raw_event())).record)
    values = [record["properties"].get(field) for field in Properties.__struct_fields__]
    context, integrations = (orjson.dumps(record[name]) for name in ("context", "integrations"))
    raw_context, raw_integrations = msgspec.Raw(context), msgspec.Raw(integrations)
    fragments = orjson.Fragment(context), orjson.Fragment(integrations)
    event, message_id, user_id, timestamp = (record[name] for name in ("event", "messageId", "userId", "timestamp"))
    names, encoder = Properties.__struct_fields__, msgspec.json.Encoder()

    def with_msgspec() -> bytes:
        properties = Properties(*values)
        track = Track(event, message_id, properties, raw_context, raw_integrations, user_id, None, timestamp)
        return encoder.encode(track)

    def with_orjson() -> bytes:
        properties = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        return orjson.dumps(
            {
                "type": "track",
                "event": event,
                "messageId": message_id,
                "properties": properties,
                "context": fragments[0],
                "integrations": fragments[1],
                "userId": user_id,
                "timestamp": timestamp,
            },
        )

    if with_msgspec() != with_orjson():
        raise AssertionError("the contenders must do the same")
    return {"msgspec, from structs": with_msgspec, "orjson, from dicts": with_orjson}


def whole_jobs() -> Contenders:
    """Return the whole of `process` for typical events and rules."""
    keep_all, engagement = Policy(records=SEGMENT), Policy(records=SEGMENT, rules=preset_rules(Preset.ENGAGEMENT_ONLY))
    clicked, sent = raw_message(raw_event()), raw_message(raw_event("message.push.sent"))
    paged = raw_message(raw_event("message.iam.clicked", data={"page_name": "Intro", "target_name": "Buy"}))

    def job(message: RawMessage, policy: Policy) -> Callable[[], object]:
        return lambda: process(message, policy, STATELESS)

    return {
        "nested, delivered": job(clicked, keep_all),
        "nested in-app with page and target, delivered": job(paged, keep_all),
        "nested, dropped by engagement-only": job(sent, engagement),
        "nested, delivered past 200 rules for other kinds": job(
            clicked, Policy(records=SEGMENT, rules=_rules("kind: message.sms.sent"))
        ),
        "nested, delivered past 200 rules for other templates": job(
            clicked, Policy(records=SEGMENT, rules=_rules("template_id: t{}"))
        ),
        "nested, delivered past 200 rules for other names": job(
            clicked, Policy(records=SEGMENT, rules=_rules('message_name: "x{}*"'))
        ),
        "nested, delivered past 200 rules for other tags": job(
            clicked, Policy(records=SEGMENT, rules=_rules("tag: {{plan: p{}}}"))
        ),
        **{
            f"{shape}, delivered": job(raw_message(raw_event(), shape), keep_all)
            for shape in BodyShape
            if shape is not BodyShape.NESTED
        },
    }


def _rules(condition: str) -> Rules:
    lines = [f"  - when: {{{condition.format(number)}, language: x{number}}}\n    then: drop" for number in range(200)]
    return parse_rules("\n".join(["rules:", *lines]), filename="bench.yaml")


def _delivered(message: RawMessage) -> Deliver:
    outcome = process(message, Policy(records=SEGMENT), STATELESS)
    if not isinstance(outcome, Deliver):
        raise TypeError(f"the benchmark's event was not delivered: {outcome}")
    return outcome


def main() -> None:
    """Print all tables."""
    message = raw_message(raw_event())
    print(f"The typical event: {len(message.value or b'')} bytes in, {len(_delivered(message).record)} bytes out.")
    show("decode, nested", decoders())
    show("decode, of no known type", flat_decoders())
    show("build and encode a record", encoders())
    show("process()", whole_jobs())


if __name__ == "__main__":
    main()
