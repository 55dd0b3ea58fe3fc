"""Random events, rules and bytes for the property tests of the core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson
from hypothesis import strategies as st

from pipeline.core.classification import MtuClass
from pipeline.core.kinds import SPELLINGS, Action, Category, Channel
from pipeline.core.rules import DROP, KEEP, TRACKED_ONLY, Clause, Condition, Decision, Rule, SampleBy, Verdict
from tests.builders import BodyShape, RawMessage, encode, raw_event

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

    from tests.builders import Event

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)

ids = st.sampled_from(["a", "b", "c"])
names = st.sampled_from(["promo", "promo-1", "Promo", "digest", "x*y", "[a]", ""])
patterns = st.sampled_from(["promo*", "*o*", "promo-?", "[pP]romo", "[!p]*", "*", "x[*]y", "[[]a]", "digest", "pro"])
languages = st.sampled_from(["en", "EN", "de", "no"])
devices = st.sampled_from(["iOS", "ios", "Android", "Email"])
tag_values = st.sampled_from(["free", "premium", 5, True, 1.5])

kinds = st.sampled_from(sorted(SPELLINGS)) | st.sampled_from(["message.fax.sent", "message.sms.opted_out", "x"])


@st.composite
def events(draw: st.DrawFn) -> Event:
    """Draw a plausible event with values that the drawn rules match."""
    return raw_event(
        draw(kinds),
        message={"id": draw(ids), "name": draw(names), "template_id": draw(ids | st.just(""))},
        user={
            "language": draw(languages),
            "tags": draw(st.dictionaries(st.sampled_from(["plan", "vip"]), tag_values)),
        },
        id=draw(st.uuids().map(str) | st.just("")),
        app_id=draw(ids),
        external_id=draw(st.sampled_from(["u-1", "u-2", "", "null"])),
        subscription_id=draw(st.sampled_from(["s-1", "s-2", ""])),
        subscription_device_type=draw(devices),
    )


shapes = st.sampled_from(BodyShape)


@st.composite
def mutated_bodies(draw: st.DrawFn) -> bytes:
    """Draw the body of a real event with fields replaced, removed or duplicated, and bytes changed."""
    event = draw(events())
    for _ in range(draw(st.integers(0, 3))):
        part = draw(st.sampled_from(["event", "message", "user"]))
        fields = event[part]
        if isinstance(fields, dict):
            fields[draw(st.sampled_from([*sorted(fields), "other"]))] = draw(json_values)
        if draw(st.integers(0, 9)) == 0:
            event[part] = draw(json_values)
    body = bytearray(_encoded(event, draw(shapes)))
    for _ in range(draw(st.integers(0, 2))):
        position = draw(st.integers(0, len(body) - 1))
        body[position : position + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body)


def _encoded(event: Event, shape: BodyShape) -> bytes:
    whole = all(isinstance(event[part], dict) for part in event) and isinstance(event["event"].get("data"), dict)
    return encode(event, shape) if whole else orjson.dumps(event)


bodies: SearchStrategy[bytes | None] = st.one_of(
    st.none(),
    st.binary(max_size=200),
    json_values.map(orjson.dumps),
    mutated_bodies(),
)


@st.composite
def messages(draw: st.DrawFn) -> RawMessage:
    """Draw a message with any body and any time."""
    return RawMessage(value=draw(bodies), timestamp=draw(st.sampled_from([-1, 0, 1_767_225_660_500, 2**62])))


def _clauses() -> SearchStrategy[tuple[Clause, ...]]:
    def clause(condition: Condition, values: SearchStrategy[str]) -> SearchStrategy[Clause]:
        return st.frozensets(values, min_size=1, max_size=3).map(lambda found: Clause(condition, found))

    def tag(name: str) -> SearchStrategy[Clause]:
        values = st.frozensets(st.sampled_from(["free", "premium", "5", "true", "1.5"]), min_size=1, max_size=2)
        return values.map(lambda found: Clause(Condition.TAG, found, name))

    each: dict[str, SearchStrategy[Clause]] = {
        "kind": clause(Condition.KIND, st.sampled_from(sorted({kind.name for kind in SPELLINGS.values()}))),
        "channel": clause(Condition.CHANNEL, st.sampled_from([channel.value for channel in Channel])),
        "action": clause(Condition.ACTION, st.sampled_from([action.value for action in Action])),
        "category": clause(Condition.CATEGORY, st.sampled_from([category.value for category in Category])),
        "mtu": clause(Condition.MTU, st.sampled_from([mtu.value for mtu in MtuClass])),
        "anonymous": clause(Condition.ANONYMOUS, st.sampled_from(["true", "false"])),
        "app_id": clause(Condition.APP_ID, ids),
        "template_id": clause(Condition.TEMPLATE_ID, ids),
        "message_id": clause(Condition.MESSAGE_ID, ids),
        "message_name": clause(Condition.MESSAGE_NAME, patterns),
        "device_type": clause(Condition.DEVICE_TYPE, devices.map(str.lower)),
        "language": clause(Condition.LANGUAGE, languages.map(str.lower)),
        "plan": tag("plan"),
        "vip": tag("vip"),
    }
    chosen = st.lists(st.sampled_from(sorted(each)), max_size=3, unique=True)
    return chosen.flatmap(lambda keys: st.tuples(*(each[key] for key in keys)))


percents: SearchStrategy[float] = st.sampled_from([0.0, 1.0, 12.5, 50.0, 99.9, 100.0])
decisions: SearchStrategy[Decision] = st.sampled_from([KEEP, DROP, TRACKED_ONLY]) | st.builds(
    Decision,
    st.just(Verdict.SAMPLE),
    percents,
    st.sampled_from(SampleBy),
)
rule_lists: SearchStrategy[list[Rule]] = st.lists(
    st.builds(Rule, _clauses(), decisions, shadow=st.sampled_from([False, False, True])), max_size=8
)
