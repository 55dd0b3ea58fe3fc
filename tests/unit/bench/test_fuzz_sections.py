from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.bench.fuzz.fields import Section
from tests.bench.fuzz.results import Case, Decider, Result, result_of
from tests.bench.fuzz.sections import explained
from tests.bench.fuzz.wanted import Before
from tests.bench.versions import WORKING_TREE, VersionError, load_version, tree_of
from tests.builders import STORED_AT, BodyShape, encode, raw_event

if TYPE_CHECKING:
    from collections.abc import Iterator

BEFORE_THE_RULES = "e3bc77a"
CASE = Case(policy=0, has_catalogue=False, timestamp=STORED_AT)
DELIVER_UNKNOWN = Case(policy=1, has_catalogue=False, timestamp=STORED_AT)
RULES = Case(policy=3, has_catalogue=False, timestamp=STORED_AT)


@pytest.fixture(scope="module")
def before() -> Iterator[Before]:
    try:
        with tree_of(BEFORE_THE_RULES) as tree:
            yield Before(load_version(tree))
    except VersionError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def now() -> Decider:
    return Decider(load_version(WORKING_TREE))


def event(**changes: Any) -> bytes:
    return encode(raw_event(**changes))


EXAMPLES = [
    (Section.IDS, event(external_id="nan", user={"external_id": "u-7"}), CASE),
    (Section.IDS, event(id="nan"), CASE),
    (Section.IDS, event(message={"name": "null"}), CASE),
    (Section.IDS, event(app_id="[object Object]"), CASE),
    (Section.NUMBERS, event().replace(b'"u-1001"', b"123456789012345678901"), CASE),
    (Section.NUMBERS, event(external_id=12345.5), CASE),
    (Section.NUMBERS, event().replace(b'"premium"', b"12345678901234567890123").replace(b"plan", b"level"), RULES),
    (Section.CONTROL_CHARACTERS, event(message={"name": "a~b"}).replace(b"~", b"\n"), CASE),
    (Section.TIMES, event(timestamp="1.76722560012E9", datetime=""), CASE),
    (Section.TIMES, event(datetime="2026-01-01T02:00:00"), CASE),
    (Section.TIMES, event(timestamp=2024, datetime=None), CASE),
    (Section.KINDS, event(kind="message_push_clicked"), CASE),
    (Section.KINDS, event(kind="message.email.reported as spam"), DELIVER_UNKNOWN),
    (Section.LANGUAGE, event(user={"language": "de-AT"}), CASE),
    (Section.SECOND_NAMES, event(external_id="", user={"external_user_id": "u-9"}), CASE),
    (Section.SECOND_NAMES, event(external_id="", subscription_id="", user={"subscription": {"id": "s-9"}}), CASE),
    (Section.SECOND_NAMES, b'{"event_type":"message.push.clicked","external_id":"u"}', CASE),
    (Section.SECOND_NAMES, b'{"EVENT_KIND":"message.push.clicked","EXTERNAL_ID":"u"}', CASE),
    (Section.ONE_TEXT, event(message={"title": '{"id":"42","to":"orders"}'}), CASE),
    (Section.ONE_TEXT, event(message={"title": "{'en': \"It's on\"}"}), CASE),
    (Section.SMALLER, event(message={"url": "", "web_url": "https://shop.example/web"}), CASE),
    (Section.SMALLER, event(message={"live_activity_event_kind": "start"}), CASE),
    (Section.SMALLER, event(message={"name": "a\x00b"}), CASE),
    (Section.SMALLER, event(id=" e-1 "), CASE),
    (Section.SMALLER, event(user={"tags": '{"plan":"free"}'}), RULES),
]


@pytest.mark.parametrize(("section", "body", "case"), EXAMPLES)
def test_a_changed_outcome_is_assigned_to_its_section(
    section: Section, body: bytes, case: Case, before: Before, now: Decider
) -> None:
    old, new = result_of(before.decider.decide(body, case)), result_of(now.decide(body, case))
    assert old != new
    found = explained(before, body, case, old, new)
    assert found.is_explained
    assert found.sections == (section,)


@pytest.mark.parametrize("shape", BodyShape)
def test_an_outcome_that_is_as_before_needs_no_section(shape: BodyShape, before: Before, now: Decider) -> None:
    body = encode(raw_event(data={"page_name": "Welcome"}, message={"name": "Null"}, external_id="guest"), shape)
    old, new = result_of(before.decider.decide(body, CASE)), result_of(now.decide(body, CASE))
    assert old == new
    found = explained(before, body, CASE, old, new)
    assert found.is_explained
    assert found.sections == ()


def changed(result: Result, **changes: Any) -> Result:
    record = json.loads(result.record)
    record |= changes
    return result._replace(record=json.dumps(record, separators=(",", ":"), ensure_ascii=False).encode())


@pytest.mark.parametrize(
    ("body", "changes"),
    [
        (event(), {"messageId": "another"}),
        (event(timestamp="1.76722560012E9", datetime=""), {"messageId": "another"}),
        (event(id="nan"), {"timestamp": "2026-01-01T00:00:07.000Z"}),
        (event(external_id="nan", user={"external_id": "u-7"}), {"userId": "u-8"}),
    ],
)
def test_a_change_that_no_section_makes_is_not_explained(
    body: bytes, changes: dict[str, str], before: Before, now: Decider
) -> None:
    old, new = result_of(before.decider.decide(body, CASE)), result_of(now.decide(body, CASE))
    assert not explained(before, body, CASE, old, changed(new, **changes)).is_explained


@pytest.mark.parametrize(("section", "body", "case"), EXAMPLES)
def test_a_fault_that_is_still_there_is_not_explained(
    section: Section, body: bytes, case: Case, before: Before
) -> None:
    old = result_of(before.decider.decide(body, case))
    assert not explained(before, body, case, old, old).is_explained, section


@pytest.mark.parametrize(
    "body",
    [
        *(encode(raw_event(), shape) for shape in BodyShape),
        event(external_id=" ", user={"external_id": "u-7"}, message={"title": "{'en':'Hi','de':'Hallo'}"}),
        event(timestamp=20260101, datetime="", message={"id": 7, "contents": {"fr": "Salut"}}),
        b'{"event_kind":"message.push.sent","user_tags":{"plan":5},"Event Data":{"event.external_id":"u"}}',
        b'{"event":{"kind":"message.push.sent"}} trailing',
        b"[]",
    ],
)
def test_without_sections_a_body_is_read_as_it_was_before(body: bytes, before: Before) -> None:
    old = result_of(before.decider.decide(body, CASE))
    assert explained(before, body, CASE, old, old).is_explained
