from __future__ import annotations

import json
from typing import Any, Final

import pytest

from pipeline.core.catalogue import usable
from pipeline.core.content import Content
from pipeline.core.outcomes import Deliver, Drop
from pipeline.core.policy import Policy
from pipeline.core.processing import State, process
from pipeline.core.rules_file import parse_rules
from tests.builders import SEGMENT, raw_event, raw_message
from tests.fakes.tracking import PlainCatalogue

GOOD: Final = Content(
    id="m-1", name="new-year", title={"en": "Happy"}, contents="Come in", template_id="t-1", url="https://a"
)
BLANK: Final = {"name": "", "title": "", "contents": "", "url": ""}


def changed(**fields: Any) -> Content:
    return Content(**{**{name: getattr(GOOD, name) for name in GOOD.__struct_fields__}, **fields})


def test_a_stored_message_that_is_clean_stays_as_it_is() -> None:
    assert usable(GOOD) == GOOD


@pytest.mark.parametrize("message_id", [None, "", "null", "nan", "[object Object]", "{{ message.id }}", "000"])
def test_a_stored_message_whose_id_is_empty_is_not_taken(message_id: str | None) -> None:
    assert usable(changed(id=message_id)) is None


@pytest.mark.parametrize(
    "text", ["null", "undefined", "None", "nan", "NaN", "(null)", "<null>", "<nil>", "[object Object]"]
)
def test_placeholders_are_taken_out_of_a_stored_message(text: str) -> None:
    assert usable(changed(name=text)) == changed(name=None)
    assert usable(changed(title=text, url=text)) == changed(title=None, url=None)
    assert usable(changed(title={"en": text, "de": ""})) == changed(title=None)
    assert usable(changed(contents={"en": text, "de": "Komm"})) == changed(contents={"en": text, "de": "Komm"})
    assert usable(changed(name=text, title=text, contents={"en": text})) is None


@pytest.mark.parametrize("template_id", ["null", "nan", "{{ template.id }}"])
def test_an_empty_template_is_taken_out_of_a_stored_message(template_id: str) -> None:
    assert usable(changed(template_id=template_id)) == changed(template_id=None)


@pytest.mark.parametrize("field", ["name", "title", "contents", "url", "template_id", "id"])
def test_u_0000_is_taken_out_of_a_stored_message(field: str) -> None:
    assert usable(changed(**{field: "\0m\0-1"})) == changed(**{field: "m-1"})
    assert usable(changed(title={"en": "Hap\0py"})) == changed(title={"en": "Happy"})
    assert usable(changed(id="\0n\0ull")) is None


def test_u_0000_of_a_dropped_event_is_not_filled_into_another() -> None:
    policy = Policy(
        records=SEGMENT, rules=parse_rules("rules: [{when: {action: sent}, then: drop}]", filename="rules.yaml")
    )
    catalogue = PlainCatalogue()
    sent = raw_event("message.push.sent", message={"id": "m-1", "name": "new\0year", "title": {"en": "H\0i"}})
    dropped = process(raw_message(sent), policy, State(catalogue=catalogue))
    assert isinstance(dropped, Drop)
    assert dropped.change is not None
    assert dropped.change.learnt is not None
    catalogue.known["m-1"] = dropped.change.learnt
    clicked = raw_event(message={**BLANK, "id": "m-1"})
    found = process(raw_message(clicked), policy, State(catalogue=catalogue))
    assert isinstance(found, Deliver)
    assert found.filled
    assert b"\\u0000" not in found.record
    assert json.loads(found.record)["properties"]["message_name"] == "newyear"
