from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from pipeline.local.segment.judgement import basic_auth_key, judge
from pipeline.local.segment.ledger import Discard, Ledger
from tests.fakes.segment import WRITE_KEY, record, record_of


def authorization(key: str) -> str:
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def body_of(*records: bytes, **envelope: Any) -> bytes:
    extra = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in envelope.items())
    return b'{"batch":[' + b",".join(records) + b"]" + extra.encode() + b"}"


def judged(body: bytes, *, key: str = WRITE_KEY, header: str | None = "") -> tuple[int, Ledger]:
    ledger = Ledger()
    given = authorization(key) if header == "" else header
    return judge(body, authorization=given, keys=[WRITE_KEY], ledger=ledger).status, ledger


def test_good_records_are_accepted_in_order() -> None:
    status, ledger = judged(body_of(record("b"), record("a", userId=None, anonymousId="anon")))
    assert (status, list(ledger.accepted.items())) == (200, [("b", "u-1"), ("a", "anon")])


@pytest.mark.parametrize("key", ["", "abc123", WRITE_KEY[:-1]])
def test_a_short_key_gets_400(key: str) -> None:
    assert judged(body_of(record()), key=key)[0] == 400


def test_an_unknown_key_gets_200_and_everything_is_thrown_away() -> None:
    status, ledger = judged(body_of(record("a"), record("b")), key="x" * 32)
    assert (status, ledger.accepted, ledger.discarded) == (200, {}, {Discard.UNKNOWN_KEY: 2})


def test_the_key_may_be_in_the_body() -> None:
    assert list(judged(body_of(record("a"), writeKey=WRITE_KEY), header=None)[1].accepted) == ["a"]
    assert judged(body_of(record("a")), header=None)[0] == 400


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (authorization(WRITE_KEY), WRITE_KEY),
        ("basic " + base64.b64encode(b"k:").decode(), "k"),
        ("Basic " + base64.b64encode(b"no colon").decode(), ""),
        ("Basic " + base64.b64encode(b"user:password").decode(), ""),
        ("Basic " + base64.b64encode(b"\xff:").decode(), ""),
        ("Basic %%%", ""),
        ("Bearer " + base64.b64encode(b"k:").decode(), ""),
        ("", ""),
    ],
)
def test_basic_auth_is_the_key_and_a_colon(header: str, key: str) -> None:
    assert basic_auth_key(header) == key


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"batch":1}',
        body_of(record(p="q").replace(b'"q"', b'"\xff"')),
        b'{"batch":' + b"[" * 9000 + b"]" * 9000 + b"}",
        body_of(record_of(32_769)),
        body_of(*[record_of(32_000, str(n)) for n in range(16)]),
    ],
)
def test_what_is_too_large_or_no_json_gets_400_and_nothing_is_taken(body: bytes) -> None:
    status, ledger = judged(body)
    assert (status, ledger.accepted, ledger.summary().records_received) == (400, {}, 0)


def test_a_request_may_be_as_large_as_the_limits() -> None:
    assert judged(body_of(record_of(32_768)))[0] == 200
    filler = 500_000 - len(body_of(record_of(30_000, "0"))) - 15 * 30_001
    records = [record_of(30_000, str(n)) for n in range(16)]
    assert filler > 0
    exact = body_of(*records) + b" " * filler
    assert (len(exact), judged(exact)[0], judged(exact + b" ")[0]) == (500_000, 200, 400)


def test_too_many_records_get_200_and_all_of_them_are_thrown_away() -> None:
    small = b'{"type":"track","event":"e","userId":"u","messageId":"%d"}'
    status, ledger = judged(body_of(*(small % n for n in range(2_501))))
    assert (status, ledger.accepted, ledger.discarded) == (200, {}, {Discard.TOO_MANY_RECORDS: 2_501})
    assert len(judged(body_of(*(small % n for n in range(2_500))))[1].accepted) == 2_500


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (record(type=None), Discard.NO_TYPE),
        (b"1", Discard.NO_TYPE),
        (record(userId=None), Discard.NO_USER),
        (record(userId=""), Discard.NO_USER),
        (record(userId=7), Discard.NO_USER),
        (record(event=None), Discard.NO_EVENT_NAME),
        (record(event=""), Discard.NO_EVENT_NAME),
    ],
)
def test_a_bad_record_is_thrown_away_behind_a_200(value: bytes, reason: Discard) -> None:
    status, ledger = judged(body_of(record("a"), value, record("b")))
    assert (status, list(ledger.accepted), ledger.discarded) == (200, ["a", "b"], {reason: 1})


def test_a_repeated_message_id_is_a_duplicate_and_its_first_acceptance_stays() -> None:
    status, ledger = judged(body_of(record("a"), record("b"), record("a", userId="u-2")))
    assert (status, ledger.accepted, ledger.discarded) == (200, {"a": "u-1", "b": "u-1"}, {Discard.DUPLICATE: 1})


def test_a_record_without_a_message_id_gets_one() -> None:
    _, ledger = judged(body_of(record(messageId=None), record(messageId="")))
    assert len(ledger.accepted) == 2


def test_other_calls_than_track_need_no_event_name() -> None:
    assert list(judged(body_of(record("i", type="identify", event=None)))[1].accepted) == ["i"]


def test_the_summary_adds_up() -> None:
    _, ledger = judged(body_of(record("a"), record("a"), record("b", userId=None), record("c", userId="u-9")))
    summary = ledger.summary()
    assert summary.records_received == summary.records_accepted + sum(summary.discarded.values()) == 4
    assert summary.users == 2
    assert set(summary.discarded) == set(Discard)
