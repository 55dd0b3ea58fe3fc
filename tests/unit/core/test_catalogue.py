from __future__ import annotations

import json
from typing import Any, Final

import pytest

from pipeline.core.content import Content
from pipeline.core.outcomes import Deliver, Drop, Outcome, StateChange
from pipeline.core.policy import Policy
from pipeline.core.processing import State, process
from pipeline.core.rules_file import parse_rules
from tests.builders import SEGMENT, raw_event, raw_message
from tests.fakes.tracking import PlainCatalogue

BLANK: Final = {"name": "", "title": " ", "contents": "", "template_id": "", "url": ""}
KNOWN: Final = Content(
    id="m-1", name="new-year", title={"en": "Happy"}, contents="Come in", template_id="t-1", url="https://shop.example"
)
RULES: Final = parse_rules("rules: [{when: {message_name: new-*}, then: drop}]", filename="rules.yaml")


def outcome(kind: str, catalogue: PlainCatalogue, message: dict[str, Any], policy: Policy | None = None) -> Outcome:
    raw = raw_event(kind, message={"id": "m-1", **message})
    return process(raw_message(raw), policy or Policy(records=SEGMENT), State(catalogue=catalogue))


def properties(found: Outcome) -> dict[str, Any]:
    assert isinstance(found, Deliver)
    record: dict[str, Any] = json.loads(found.record)["properties"]
    return record


def test_a_late_engagement_is_filled_in() -> None:
    found = outcome("message.push.clicked", PlainCatalogue(KNOWN), BLANK)
    assert isinstance(found, Deliver)
    assert found.filled
    filled = properties(found)
    wanted = ("message_name", "message_title", "message_contents", "template_id", "url")
    assert [filled[name] for name in wanted] == ["new-year", "Happy", "Come in", "t-1", "https://shop.example"]


def test_only_blanks_are_filled_in() -> None:
    found = outcome(
        "message.push.clicked", PlainCatalogue(KNOWN), {**BLANK, "template_id": "t-own", "url": "https://a"}
    )
    assert (properties(found)["template_id"], properties(found)["url"]) == ("t-own", "https://a")


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("message.push.sent", BLANK),  # a sent event is never late
        ("message.push.clicked", {**BLANK, "name": "own"}),  # it has content
        ("message.push.clicked", {**BLANK, "id": ""}),
        ("message.push.clicked", {**BLANK, "id": "m-2"}),
    ],
)
def test_other_events_stay_as_they_are(kind: str, message: dict[str, Any]) -> None:
    found = outcome(kind, PlainCatalogue(KNOWN), message)
    assert isinstance(found, Deliver)
    assert not found.filled
    assert "message_contents" not in properties(found)


def test_an_event_without_a_message_stays_as_it_is() -> None:
    raw = raw_event("message.push.clicked")
    del raw["message"]
    found = process(raw_message(raw), Policy(records=SEGMENT), State(catalogue=PlainCatalogue(KNOWN)))
    assert isinstance(found, Deliver)
    assert (found.filled, found.change) == (False, None)


def test_rules_see_what_was_filled_in() -> None:
    found = outcome("message.push.clicked", PlainCatalogue(KNOWN), BLANK, Policy(records=SEGMENT, rules=RULES))
    assert isinstance(found, Drop)


def test_what_a_message_says_is_learnt_once_also_from_what_is_dropped() -> None:
    said = {"name": "new-year", "title": {"en": "Happy"}, "contents": "Come in", "template_id": "t-1"}
    dropped = outcome("message.push.sent", PlainCatalogue(), {**said, "url": ""}, Policy(records=SEGMENT, rules=RULES))
    assert isinstance(dropped, Drop)
    assert dropped.change == StateChange(learnt=Content(id="m-1", **said, url=""))  # type: ignore[arg-type]
    again = outcome(
        "message.push.sent", PlainCatalogue(KNOWN), {**said, "url": ""}, Policy(records=SEGMENT, rules=RULES)
    )
    assert isinstance(again, Drop)
    assert again.change is None


def test_what_a_link_says_of_a_person_is_not_learnt() -> None:
    found = outcome("message.push.sent", PlainCatalogue(), {"url": "https://shop.example/new?to=jo@mail.example"})
    assert isinstance(found, Deliver)
    assert found.change is not None
    assert found.change.learnt is not None
    assert found.change.learnt.url == "https://shop.example/new"


def test_nothing_is_learnt_of_a_message_that_says_nothing() -> None:
    found = outcome("message.push.clicked", PlainCatalogue(), BLANK)
    assert isinstance(found, Deliver)
    assert found.change is None
