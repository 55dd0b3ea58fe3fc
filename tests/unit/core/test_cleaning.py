from __future__ import annotations

from typing import Final

import msgspec
import pytest

from pipeline.core.cleaning import ID_FIELDS, SUBSCRIPTION_ID, cleaned, is_clean, usable_id, with_subscription
from pipeline.core.content import EventContent
from pipeline.core.events import Event, Facts, Person
from pipeline.core.flaws import Flaws
from pipeline.core.ids import EmptyReason, IdField, IgnoredId

CLEAN: Final = Event(
    event=Facts(kind="message.push.clicked", id="e-1", subscription_id="s-1", external_id="null"),
    message=EventContent(id="m-1", name="null"),
    user=Person(onesignal_id="o-1", language="undefined"),
)


def with_id(path: str, text: str | None) -> Event:
    part, _, name = path.partition(".")
    return msgspec.structs.replace(CLEAN, **{part: msgspec.structs.replace(getattr(CLEAN, part), **{name: text})})


OF_FIELDS: Final = [path for path in ID_FIELDS if path != SUBSCRIPTION_ID]


def test_every_kind_of_id_but_the_external_ones_is_judged() -> None:
    assert set(ID_FIELDS.values()) == set(IdField) - {IdField.EXTERNAL_ID}


@pytest.mark.parametrize("event", [CLEAN, Event(event=Facts(kind="k")), Event(event=Facts(kind="k"), user=Person())])
def test_a_clean_event_stays_as_it_is(event: Event) -> None:
    assert is_clean(event)
    assert cleaned(event) == event


@pytest.mark.parametrize("path", OF_FIELDS)
@pytest.mark.parametrize("text", ["null", "nan", "000", "[object Object]", "{{ x }}", "n/a", "\u200b"])
def test_an_empty_id_is_taken_out_and_named(path: str, text: str) -> None:
    event = with_id(path, text)
    assert not is_clean(event)
    found = cleaned(event)
    assert msgspec.structs.astuple(found)[:-1] == msgspec.structs.astuple(with_id(path, None))
    assert found.flaws is not None
    assert [(each.path, each.field, each.text) for each in found.flaws.ignored] == [(path, ID_FIELDS[path], text)]


@pytest.mark.parametrize("path", OF_FIELDS)
@pytest.mark.parametrize("text", ["u", "n-1", "l", "e0", "-1-", "{u}", "\u00e9", "0-1"])
def test_an_id_that_names_something_is_left(path: str, text: str) -> None:
    assert is_clean(with_id(path, text))
    assert cleaned(with_id(path, text)) == with_id(path, text)


@pytest.mark.parametrize("path", OF_FIELDS)
def test_a_blank_id_is_taken_out_and_not_named(path: str) -> None:
    assert not is_clean(with_id(path, " "))
    assert cleaned(with_id(path, " ")) == with_id(path, None)
    assert is_clean(with_id(path, ""))


@pytest.mark.parametrize("kind", ["", "null", "undefined", "[object Object]"])
def test_a_kind_that_says_nothing_is_blank(kind: str) -> None:
    assert not is_clean(with_id("event.kind", kind))
    assert cleaned(with_id("event.kind", kind)).event.kind == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("s-1", None),
        ("c1a7e2d4-0f3b-4a58-9c0b-1f2d3c4b5a69", None),
        (None, EmptyReason.BLANK),
        ("", EmptyReason.BLANK),
        (" ", EmptyReason.BLANK),
        ("null", EmptyReason.WORD),
        ("jo@mail.example", EmptyReason.PERSONAL),
        ("+4915112345678", EmptyReason.PERSONAL),
        ("6f1a0cf2b7d94e0f" * 4, EmptyReason.PERSONAL),
    ],
)
def test_the_subscription_of_the_user_is_taken_unless_it_may_name_a_person(
    text: str | None, reason: EmptyReason | None
) -> None:
    before = IgnoredId("event.id", IdField.EVENT_ID, "nan", EmptyReason.WORD)
    for flaws in (None, Flaws((before,))):
        event = with_id("event.subscription_id", None)
        event = event if flaws is None else event.with_flaws(flaws)
        found = with_subscription(event, (text,))
        assert found.event.subscription_id == (None if reason else text)
        reasons = () if found.flaws is None else tuple(each.reason for each in found.flaws.ignored)
        added = () if reason in {None, EmptyReason.BLANK} else (reason,)
        assert reasons == (*(() if flaws is None else (EmptyReason.WORD,)), *added)


def test_an_address_is_an_id_anywhere_else() -> None:
    ignored: list[IgnoredId] = []
    assert usable_id("event.subscription_id", "jo@mail.example", ignored) == "jo@mail.example"
    assert ignored == []
