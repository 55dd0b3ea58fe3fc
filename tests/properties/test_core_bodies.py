"""Bodies as templates produce them: repaired JSON, long integers, tags in one text, times, other names of fields."""

from __future__ import annotations

import json
from typing import Any, Final

import orjson
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.core.events import Event, _decode_tolerantly, decode
from pipeline.core.identity import identify, ignored_external_ids
from pipeline.core.ids import EMPTY_IDS
from pipeline.core.json_repair import parse_exactly, parse_json
from pipeline.core.outcomes import Deliver, Drop, RejectReason
from pipeline.core.policy import Policy
from pipeline.core.rules_file import parse_rules
from pipeline.core.tags import read_tags, tags_in_text
from pipeline.core.timestamps import own_time, time_source
from tests.body_forms import JSON_FORMS, LITERAL, BodyForm, encoded, outcome_of, properties_of, record_of
from tests.builders import SEGMENT, raw_event
from tests.properties.core_strategies import json_values

json_forms = st.sampled_from(JSON_FORMS)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
odd_ids = st.sampled_from(
    ["null", "nan", "000", "{{ x }}", "[object Object]", "", " ", "u-1", "u-2", "7", "n\u200bull", "u\0"]
)
maybe_ids = st.none() | odd_ids | st.integers(-5, 10**6)
kinds = st.sampled_from(
    ["message.push.clicked", "message_push_clicked", "message.live activity.sent", "", "null", "order.created"]
)


@st.composite
def odd_events(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an event whose ids have any of their names, and are often placeholders."""
    event = raw_event(
        draw(kinds),
        id=draw(maybe_ids),
        app_id=draw(maybe_ids),
        subscription_id=draw(maybe_ids),
        onesignal_id=draw(maybe_ids),
        external_id=draw(maybe_ids),
        message={
            "id": draw(maybe_ids),
            "template_id": draw(maybe_ids),
            "name": draw(odd_ids | texts),
            "title": draw(texts | st.dictionaries(st.sampled_from(["en", "de", "pt-BR"]), odd_ids | texts, max_size=3)),
            "app_url": draw(st.sampled_from([None, "", "shop://a"])),
            "live_activity_event_kind": draw(st.sampled_from([None, "start", "null"])),
        },
        user={
            "external_id": draw(maybe_ids),
            "onesignal_id": draw(maybe_ids),
            "language": draw(st.sampled_from(["de", "pt", "null", ""])),
            "tags": draw(st.sampled_from([{}, {"plan": "free"}, '{"plan":"free"}', "{'plan':'free'}"])),
        },
    )
    for name, part in (("external_user_id", "event"), ("external_user_id", "user")):
        if draw(st.booleans()):
            event[part][name] = draw(maybe_ids)
    if draw(st.booleans()):
        event["user"]["subscription"] = {"id": draw(maybe_ids), "device_model": "iPhone15,2"}
    return event


@given(
    event=odd_events(),
    form=json_forms,
    top=st.sampled_from([{}, {"external_user_id": "u-9"}, {"kind": "message.push.sent"}]),
)
def test_however_a_body_is_decoded_it_comes_to_the_same(
    event: dict[str, Any], form: BodyForm, top: dict[str, Any]
) -> None:
    body = encoded(event, form, top=top)
    usual, tolerant = decode(body), _decode_tolerantly(body)
    if isinstance(tolerant, RejectReason):
        assert usual is tolerant or (isinstance(usual, Event) and not usual.event.kind)
        return
    assert isinstance(usual, Event)
    assert usual.event.kind == tolerant.event.kind
    assert identify(usual) == identify(tolerant)
    plan = Policy(records=SEGMENT).plan_for(usual.event.kind)
    records = [plan.build_record(found, identify(found), "m", None, -1) for found in (usual, tolerant)]
    assert records[0] == records[1]
    assert _ignored(usual) == _ignored(tolerant)


def _ignored(event: Event) -> set[object]:
    """Return the ignored ids of an event, external ones included."""
    others = () if event.flaws is None else event.flaws.ignored
    return {*others, *ignored_external_ids(event, EMPTY_IDS)}


@given(event=odd_events(), one=json_forms, other=json_forms, is_upper=st.booleans())
def test_every_form_comes_to_the_same_user_and_properties(
    event: dict[str, Any], one: BodyForm, other: BodyForm, *, is_upper: bool
) -> None:
    event["event"]["id"] = "e-1"
    forms = (one, BodyForm.UPPER if is_upper else other)
    found = [outcome_of(encoded(event, form), form) for form in forms]
    assert type(found[0]) is type(found[1])
    if isinstance(found[0], Deliver) and isinstance(found[1], Deliver):
        assert found[0].record == found[1].record
        assert set(found[0].ignored) == set(found[1].ignored)


@given(value=json_values | st.dictionaries(texts, texts | json_values, max_size=4), ascii_only=st.booleans())
def test_repaired_json_is_what_a_parser_that_forgives_reads(value: Any, *, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    for number in range(32):
        text = text.replace(f"\\u{number:04x}", chr(number))
    for escape, raw in (("\\n", "\n"), ("\\t", "\t"), ("\\r", "\r"), ("\\b", "\b"), ("\\f", "\f")):
        text = "\\\\".join(piece.replace(escape, raw) for piece in text.split("\\\\"))
    assert _with_texts(parse_json(text.encode())) == _with_texts(json.loads(text, strict=False))


pieces = st.sampled_from([*'{}[]:,"\\\n\t\0 a1', "\u00e9", "\\u", "d83d", "\\ude00", '"a"', '{"', '":', '"}'])


@given(
    text=st.lists(pieces, max_size=15).map("".join)
    | st.lists(pieces, max_size=15).map(lambda each: f'"{"".join(each)}"')
)
@example(text='{"a":"\n\\ud83d"}')
def test_any_text_that_is_repaired_is_what_a_parser_that_forgives_reads(text: str) -> None:
    found = parse_json(text.encode())
    if isinstance(found, RejectReason):
        return
    theirs = json.loads(text, strict=False)
    assert _without_halves(theirs) == found


def _without_halves(value: Any) -> Any:
    """Replace half of a surrogate pair, which Python's own parser accepts, by U+FFFD."""
    match value:
        case str():
            return "".join("\ufffd" if 0xD800 <= ord(each) <= 0xDFFF else each for each in value)
        case list():
            return [_without_halves(each) for each in value]
        case dict():
            return {_without_halves(key): _without_halves(each) for key, each in value.items()}
        case _:
            return value


integers = st.integers(19, 100).flatmap(lambda length: st.integers(10 ** (length - 1), 10**length - 1)).map(str)
signed = st.builds("{}{}".format, st.sampled_from(["", "-"]), integers)


@given(digits=signed, form=json_forms)
def test_integers_of_up_to_100_digits_keep_their_digits_in_ids_texts_and_tags(digits: str, form: BodyForm) -> None:
    event = raw_event(
        external_id=LITERAL,
        subscription_id=LITERAL,
        message={"id": LITERAL, "name": LITERAL, "title": LITERAL, "contents": f"in a text: {LITERAL}"},
        user={"tags": {"n": LITERAL, "text": "7" * 30}},
    )
    value = encoded(event, form, literal=digits)
    found = outcome_of(value, form)
    properties = properties_of(found)
    assert record_of(found)["userId"] == digits
    names = ("subscription_id", "campaign_id", "message_name", "message_title")
    assert [properties[name] for name in names] == [digits] * len(names)
    assert properties["message_contents"] == f"in a text: {LITERAL}"
    rules = f"rules: [{{when: {{tag: {{n: '{digits}', text: '{'7' * 30}'}}}}, then: drop}}]"
    assert isinstance(
        outcome_of(value, form, Policy(records=SEGMENT, rules=parse_rules(rules, filename="rules.yaml"))), Drop
    )


@given(
    value=st.recursive(
        signed.map(int) | texts | st.integers(-9, 9),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts | integers, inner, max_size=3),
        max_leaves=8,
    )
)
def test_digits_inside_a_string_are_never_touched(value: Any) -> None:
    assert parse_exactly(json.dumps(value).encode()) == _with_texts(value)


def _with_texts(value: Any) -> Any:
    """Replace integers of 19 or more digits by texts."""
    match value:
        case int() if len(str(abs(value))) >= 19:
            return str(value)
        case list():
            return [_with_texts(each) for each in value]
        case dict():
            return {key: _with_texts(each) for key, each in value.items()}
        case _:
            return value


tag_values = (
    texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | signed.map(int) | st.none() | st.lists(texts, max_size=2)
)


@given(tags=st.dictionaries(texts, tag_values, max_size=5), form=json_forms)
def test_tags_in_one_text_are_the_tags_of_the_object(tags: dict[str, Any], form: BodyForm) -> None:
    written = json.dumps(tags)
    as_text = encoded(raw_event(user={"tags": written}), form)
    as_object = encoded(raw_event(user={"tags": LITERAL}), form, literal=written)
    found = [decode(body) for body in (as_text, as_object)]
    first, second = (read_tags(each.user.tags, tags) for each in found if isinstance(each, Event) and each.user)
    assert first == second
    assert set(first) == {name for name, value in tags.items() if isinstance(value, str | int)}


@given(
    tags=st.dictionaries(
        st.text("ab -\u00e9", min_size=1, max_size=5), st.text('ab c"\u00e9\n{}:', max_size=8), min_size=1, max_size=4
    )
)
def test_tags_in_single_quotes_are_read_back(tags: dict[str, str]) -> None:
    text = "{" + ", ".join(f"'{name}': '{value}'" for name, value in tags.items()) + "}"
    assert tags_in_text(text) == tags


SECOND: Final = 1_767_225_600
timestamps = st.sampled_from(
    [
        None,
        SECOND,
        SECOND * 1000 + 120,
        f"{SECOND}",
        "1.7672256E9",
        SECOND * 10**9,
        "2026-01-01T00:00:00Z",
        "2026-01-01",
        2024,
        "soon",
        "Thu, 01 Jan 2026 00:00:00 GMT",
    ]
)
datetimes = st.sampled_from(
    [
        None,
        "",
        "2026-01-01T00:00:00.120Z",
        "2026-01-01T00:00:00.120",
        "2026-01-01T05:00:00",
        "2026-01-01",
        "20260101",
        "null",
        "2026-01-01T02:00:00+02:00",
    ]
)


@given(
    timestamp=timestamps,
    written=datetimes,
    form=json_forms,
    seed=st.randoms(use_true_random=False),
    is_bare=st.booleans(),
)
def test_neither_order_nor_spelling_changes_the_time(
    timestamp: Any, written: str | None, form: BodyForm, seed: Any, *, is_bare: bool
) -> None:
    plain = outcome_of(encoded(raw_event(timestamp=timestamp, datetime=written), BodyForm.NESTED), BodyForm.NESTED)
    if is_bare and form is not BodyForm.NESTED:
        body = encoded(
            raw_event(timestamp=None, datetime=None), form, top={"timestamp": timestamp, "datetime": written}
        )
    else:
        body = encoded(raw_event(timestamp=timestamp, datetime=written), form)
    fields = list(orjson.loads(body).items())
    seed.shuffle(fields)
    mixed = outcome_of(orjson.dumps(dict(fields)), form)
    assert isinstance(plain, Deliver)
    assert isinstance(mixed, Deliver)
    assert (record_of(plain)["timestamp"], plain.is_timed) == (record_of(mixed)["timestamp"], mixed.is_timed)


@given(
    timestamp=timestamps | st.integers(-(2**70), 2**70) | st.text("0123456789.eE+- ", max_size=22),
    written=datetimes | st.text("0123456789-T:.Z+ ", max_size=30),
)
def test_a_time_and_its_source_agree(timestamp: Any, written: str | None) -> None:
    is_timed = own_time(timestamp, written) is not None
    assert is_timed == time_source(timestamp, written, -1).startswith("event.")
