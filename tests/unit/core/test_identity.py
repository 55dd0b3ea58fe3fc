from __future__ import annotations

import pytest

from pipeline.core.events import Event, Facts, Person
from pipeline.core.identity import Identity, identify, user_key
from pipeline.core.ids import DISALLOWED_IDS

DOMAIN_LIST = (
    "00000000-0000-0000-0000-000000000000 anon anonymous nil none null n/a na undefined unknown <nil> "
    "0 -1 true false [] {}"
)


def event(external_id: str | None, subscription_id: str | None, user_external_id: str | None = None) -> Event:
    return Event(
        event=Facts(kind="k", external_id=external_id, subscription_id=subscription_id),
        user=Person(external_id=user_external_id),
    )


def test_the_external_id_is_the_user_id_and_stands_alone() -> None:
    assert identify(event("u-1", "s-1")) == Identity("u-1", None)


def test_the_users_own_external_id_is_as_good() -> None:
    assert identify(event("", "s-1", "u-2")) == Identity("u-2", None)


def test_an_event_without_external_id_is_anonymous() -> None:
    assert identify(event(None, "s-1")) == Identity(None, "s-1")


@pytest.mark.parametrize("word", ["", " ", "\t\n", "\u00a0", *DOMAIN_LIST.split(), "NULL", "Undefined", " none "])
def test_an_id_that_names_nobody_counts_as_missing(word: str) -> None:
    assert identify(event(word, "s-1", word)) == Identity(None, "s-1")
    assert identify(event(None, word)) == Identity(None, None)


def test_the_list_is_that_of_the_domain() -> None:
    assert {"", *DOMAIN_LIST.split(), "nan", "all"} == DISALLOWED_IDS


def test_an_event_without_a_person_is_read() -> None:
    assert identify(Event(event=Facts(kind="k"))) == Identity(None, None)


@pytest.mark.parametrize(
    ("identity", "key"),
    [
        (Identity("ü-1", None), "ü-1".encode()),
        (Identity(None, "s-1"), b"s-1"),
        (Identity(None, None), b""),
    ],
)
def test_the_user_key_is_the_user_id_else_the_anonymous_id(identity: Identity, key: bytes) -> None:
    assert user_key(identity) == key


def test_an_id_is_passed_on_as_it_is() -> None:
    assert identify(event(" u 1 ", None)).user_id == " u 1 "
