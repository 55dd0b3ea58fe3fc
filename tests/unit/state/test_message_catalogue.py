from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.core.content import Content
from pipeline.state import message_catalogue
from pipeline.state.message_catalogue import MILLISECONDS_A_DAY, MOST_BYTES, MessageCatalogue, stored_form
from tests.fakes.stream import FakeMessage

NOW = 1_790_000_000_000
WELCOME = Content(id="m-1", name="welcome", title={"en": "Hello"}, contents="Nice to see you", template_id="t-1")


def catalogue(days: int = 90, *, longest_step_ms: int | None = None) -> MessageCatalogue:
    found = MessageCatalogue(days=days, longest_step_ms=longest_step_ms)
    found.advance(NOW)
    return found


def stored(content: Content, *, at_ms: int = NOW) -> FakeMessage:
    stored = stored_form(content)
    assert stored is not None
    return FakeMessage(offset=0, key=stored[0], value=stored[1], timestamp=at_ms)


def test_what_was_learnt_is_found() -> None:
    found = catalogue()
    found.learn(WELCOME)
    assert found.find("m-1") == WELCOME
    assert found.find("m-2") is None
    assert len(found) == 1


def test_a_message_is_forgotten_when_its_days_are_over_and_learnt_anew() -> None:
    found = catalogue(days=90)
    found.learn(WELCOME)
    found.learn(Content(id="m-2", name="other"))
    found.advance(NOW + 90 * MILLISECONDS_A_DAY)
    assert found.find("m-1") == WELCOME
    found.advance(NOW + 90 * MILLISECONDS_A_DAY + 1)
    assert found.find("m-1") is None
    found.learn(Content(id="m-2", name="anew"))
    assert found.find("m-2") == Content(id="m-2", name="anew")


def test_a_clock_that_was_far_ahead_for_a_while_has_forgotten_a_day_at_the_most() -> None:
    found = catalogue(days=90, longest_step_ms=MILLISECONDS_A_DAY)
    old, older = Content(id="m-2", name="old"), Content(id="m-3", name="older")
    found.take(
        [stored(older, at_ms=NOW - 89 * MILLISECONDS_A_DAY - 10), stored(old, at_ms=NOW - 88 * MILLISECONDS_A_DAY)]
    )
    ahead = NOW + 91 * MILLISECONDS_A_DAY
    for passed in range(100):
        found.advance(ahead + passed)
        found.learn(Content(id=f"n-{passed}", name="meanwhile"))
    assert (found.find("m-3"), found.find("m-2")) == (None, old)
    found.advance(NOW + 100)
    assert found.find("m-2") == old
    found.advance(NOW + MILLISECONDS_A_DAY)
    assert found.find("n-7") == Content(id="n-7", name="meanwhile")


def test_a_clock_that_goes_as_clocks_do_forgets_when_the_days_are_over() -> None:
    found = catalogue(days=3, longest_step_ms=MILLISECONDS_A_DAY)
    found.learn(WELCOME)
    for day in range(1, 4):
        found.advance(NOW + day * MILLISECONDS_A_DAY)
    assert found.find("m-1") == WELCOME
    found.advance(NOW + 3 * MILLISECONDS_A_DAY + 1)
    assert found.find("m-1") is None


def test_a_clock_that_is_set_back_is_followed_at_once() -> None:
    found = catalogue(days=1, longest_step_ms=MILLISECONDS_A_DAY)
    found.advance(NOW - 5 * MILLISECONDS_A_DAY)
    found.learn(WELCOME)
    found.advance(NOW - 4 * MILLISECONDS_A_DAY)
    assert found.find("m-1") == WELCOME
    found.advance(NOW - 4 * MILLISECONDS_A_DAY + 1)
    assert found.find("m-1") is None


def test_one_whose_days_are_over_behind_a_younger_one_is_learnt_anew() -> None:
    found = catalogue(days=90)
    found.take([stored(Content(id="m-2", name="younger"), at_ms=NOW)])
    found.take([stored(WELCOME, at_ms=NOW - 60 * MILLISECONDS_A_DAY)])
    found.advance(NOW + 60 * MILLISECONDS_A_DAY)
    anew = Content(id="m-1", name="anew")
    found.learn(anew)
    assert (found.find("m-1"), len(found)) == (anew, 2)


def test_the_first_word_counts() -> None:
    found = catalogue()
    found.learn(WELCOME)
    found.learn(Content(id="m-1", name="other"))
    found.take([stored(Content(id="m-1", name="third"))])
    assert found.find("m-1") == WELCOME


def test_a_stored_message_is_read_back_as_it_was_learnt() -> None:
    found = catalogue()
    found.take([stored(WELCOME)])
    assert found.find("m-1") == WELCOME
    assert stored(WELCOME).key == b"m-1"


def test_the_bytes_of_a_stored_message_are_fixed() -> None:
    assert stored(WELCOME).value == (
        b'{"content":{"id":"m-1","name":"welcome","title":{"en":"Hello"},"contents":"Nice to see you",'
        b'"template_id":"t-1","url":null},"v":1}'
    )


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"[]",
        b'{"content": 7}',
        b'{"content": {"id": 7}}',
        b'{"v": 1}',
        b"\xff\xfe",
        b'"\xff"',
        b'{"a":' + b"[" * 4_000,
        b'{"content": {"id": "m-2", "contents": "' + b"x" * MOST_BYTES + b'"}}',
    ],
)
def test_what_is_no_stored_message_is_passed_over(value: bytes | None) -> None:
    found = catalogue()
    found.take([FakeMessage(offset=0, key=b"m-2", value=value, timestamp=NOW), stored(WELCOME)])
    assert len(found) == 1


def test_fields_of_later_versions_are_passed_over() -> None:
    found = catalogue()
    value = b'{"content": {"id": "m-1", "name": "welcome", "tone": "kind"}, "v": 2, "language": "en"}'
    found.take([FakeMessage(offset=0, value=value, timestamp=NOW)])
    assert found.find("m-1") == Content(id="m-1", name="welcome")


def test_a_message_without_an_id_is_not_remembered() -> None:
    found = catalogue()
    found.learn(Content(name="welcome"))
    found.take([stored(Content(id="", name="welcome"))])
    assert len(found) == 0


def test_long_contents_are_kept_neither_in_memory_nor_in_the_topic() -> None:
    found, read_back = catalogue(), catalogue()
    letter = replace_contents("x" * MOST_BYTES)
    found.learn(letter)
    read_back.take([stored(letter)])
    assert found.find("m-1") == read_back.find("m-1") == replace_contents(None)


def test_a_message_that_is_still_too_long_is_not_kept_at_all() -> None:
    found = catalogue()
    monster = Content(id="m-1", name="x" * MOST_BYTES)
    found.learn(monster)
    assert found.find("m-1") is None
    assert stored_form(monster) is None


def replace_contents(contents: str | None) -> Content:
    return Content(id="m-1", name="welcome", title="Hello", contents=contents)


def test_messages_older_than_the_days_are_forgotten() -> None:
    found = catalogue(days=2)
    found.take([stored(WELCOME, at_ms=NOW - 2 * MILLISECONDS_A_DAY - 1)])
    assert len(found) == 0
    found.take([stored(WELCOME, at_ms=NOW - 2 * MILLISECONDS_A_DAY)])
    found.learn(Content(id="m-2", name="second"))
    assert len(found) == 2
    found.advance(NOW + 1)
    found.learn(Content(id="m-3", name="third"))
    assert (found.find("m-1"), len(found)) == (None, 2)


def test_a_message_that_was_forgotten_is_learnt_again() -> None:
    found = catalogue(days=2)
    found.learn(WELCOME)
    found.advance(NOW + 3 * MILLISECONDS_A_DAY)
    said = Content(id="m-1", name="welcome back")
    found.learn(said)
    assert found.find("m-1") == said


def test_a_clock_that_runs_ahead_makes_nobody_forget() -> None:
    found = catalogue(days=2)
    found.learn(WELCOME)
    ahead = replace(stored(Content(id="m-2", name="second")), timestamp=NOW + 400 * MILLISECONDS_A_DAY)
    found.take([ahead])
    assert found.find("m-1") == WELCOME
    found.advance(NOW + 3 * MILLISECONDS_A_DAY)
    found.learn(Content(id="m-3", name="third"))
    assert len(found) == 1, "and what it wrote ends as if it were of today"


def test_no_more_than_so_many_are_remembered_the_latest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(message_catalogue, "MOST_MESSAGES", 3)
    found = catalogue()
    for number in range(5):
        found.learn(Content(id=f"m-{number}", name="n"))
    assert [found.find(f"m-{number}") is not None for number in range(5)] == [False, False, True, True, True]
