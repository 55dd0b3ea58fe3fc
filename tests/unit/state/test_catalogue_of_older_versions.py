from __future__ import annotations

from typing import Any

import pytest

from pipeline.core.content import Content
from pipeline.state.message_catalogue import MessageCatalogue, stored_form
from tests.fakes.stream import FakeMessage

NOW = 1_790_000_000_000
WELCOME: dict[str, Any] = {
    "id": "m-1",
    "name": "welcome",
    "title": {"en": "Hello"},
    "contents": "Nice",
    "template_id": "t-1",
}


def taken(**fields: Any) -> MessageCatalogue:
    """Return a message as an older version stored it."""
    stored = stored_form(Content(**{**WELCOME, **fields}))
    assert stored is not None
    found = MessageCatalogue(days=90)
    found.advance(NOW)
    found.take([FakeMessage(offset=0, key=stored[0], value=stored[1], timestamp=NOW)])
    return found


def test_a_clean_stored_message_is_taken_as_it_is() -> None:
    assert taken().find("m-1") == Content(**WELCOME)


@pytest.mark.parametrize("message_id", ["null", "nan", "{{ message.id }}", "000", "[object Object]"])
def test_a_stored_message_whose_id_is_empty_is_passed_over(message_id: str) -> None:
    found = taken(id=message_id)
    assert (found.find(message_id), len(found)) == (None, 0)


@pytest.mark.parametrize("text", ["null", "None", "undefined", "NaN", "(null)", "<nil>", "[object Object]"])
def test_placeholders_are_taken_out(text: str) -> None:
    assert taken(name=text).find("m-1") == Content(**{**WELCOME, "name": None})
    assert taken(title={"en": text, "de": text}).find("m-1") == Content(**{**WELCOME, "title": None})
    assert taken(contents=text, url=text).find("m-1") == Content(**{**WELCOME, "contents": None})
    assert taken(template_id="null").find("m-1") == Content(**{**WELCOME, "template_id": None})


def test_a_stored_message_that_then_says_nothing_is_passed_over_and_learnt_anew() -> None:
    found = taken(name="null", title="undefined", contents={"en": "None"})
    assert (found.find("m-1"), len(found)) == (None, 0)
    found.learn(Content(**WELCOME))
    assert found.find("m-1") == Content(**WELCOME)


def test_u_0000_is_taken_out() -> None:
    assert taken(name="wel\0come", title={"en": "He\0llo"}).find("m-1") == Content(**WELCOME)
