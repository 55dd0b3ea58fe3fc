"""The stand-in judges as Mixpanel's page describes, without the pipeline's own checks."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any

import orjson
import pytest

from pipeline.local.mixpanel.judgement import Access, Circumstances, judge
from pipeline.local.mixpanel.ledger import Change, Discard, Ledger

NOW = 1_767_225_600.0
NOW_MS = 1_767_225_600_000
HERE = Circumstances(now=NOW, sender="127.0.0.1")


def event(insert_id: object = "a", name: object = "$campaign_delivery", **properties: Any) -> dict[str, Any]:
    usual = {"distinct_id": "u-1", "$insert_id": insert_id, "time": NOW_MS - 1_000, "ip": 0}
    whole = usual | {name.replace("__", "$"): value for name, value in properties.items()}
    return {"event": name, "properties": {name: value for name, value in whole.items() if value is not None}}


def judged(*events: object, ledger: Ledger | None = None, here: Circumstances = HERE) -> tuple[int, dict[str, Any]]:
    judgement = judge(orjson.dumps(events), here, ledger if ledger is not None else Ledger())
    return judgement.status, dict(judgement.answer)


def faults(**changes: Any) -> set[str]:
    status, answer = judged(event(), event(**changes))
    assert status in {200, 400}
    return {row["field"] for row in answer.get("failed_records", ())}


def test_valid_events_are_imported_and_counted() -> None:
    ledger = Ledger()
    assert judged(event("a"), event("b"), ledger=ledger) == (
        200,
        {"code": 200, "num_records_imported": 2, "status": "OK"},
    )
    assert ledger.accepted == {"a": "u-1", "b": "u-1"}


def test_json_lines_are_read_too() -> None:
    body = b"\n".join(orjson.dumps(event(insert_id)) for insert_id in ("a", "b"))
    assert judge(body, HERE, Ledger()).answer["num_records_imported"] == 2


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"name": ""}, {"event"}),
        ({"name": 3}, {"event"}),
        ({"name": []}, {"event"}),
        ({"name": {}}, {"event"}),
        ({"time": None}, {"properties.time"}),
        ({"time": "now"}, {"properties.time"}),
        ({"time": True}, {"properties.time"}),
        ({"time": NOW_MS / 1000}, {"properties.time"}),
        ({"time": -1e308}, {"properties.time"}),
        ({"time": 1e30}, {"properties.time"}),
        ({"time": -1}, {"properties.time"}),
        ({"time": 31_535_999}, {"properties.time"}),
        ({"time": NOW_MS + 3_600_001}, {"properties.time"}),
        ({"time": NOW_MS // 1000 + 3_601}, {"properties.time"}),
        ({"distinct_id": 7}, {"properties.distinct_id"}),
        ({"distinct_id": "null"}, {"properties.distinct_id"}),
        ({"insert_id": "a_b"}, {"properties.$insert_id"}),
        ({"insert_id": "x" * 37}, {"properties.$insert_id"}),
        ({"insert_id": "undefined"}, {"properties.$insert_id"}),
        ({"a": {"b": {"c": {"d": {}}}}}, {"properties"}),
        ({f"p{number}": 1 for number in range(255)}, {"properties"}),
        ({"a": [1] * 255}, {"properties"}),
        ({"a": "x" * 1_100_000}, {"event"}),
        ({"time": None, "insert_id": "a_b"}, {"properties.time", "properties.$insert_id"}),
    ],
)
def test_an_invalid_event_is_listed_with_its_fields_and_the_others_are_in(
    changes: dict[str, Any], fields: set[str]
) -> None:
    ledger = Ledger()
    status, answer = judged(event("good"), event(**changes), ledger=ledger)
    assert (status, answer["num_records_imported"]) == (400, 1)
    assert {row["index"] for row in answer["failed_records"]} == {1}
    assert faults(**changes) == fields
    assert list(ledger.accepted) == ["good"]


@pytest.mark.parametrize("time", [31_536_000, 31_536_000_000, NOW_MS, NOW_MS + 3_600_000])
def test_whole_seconds_and_milliseconds_from_1971_to_an_hour_from_now_are_times(time: int) -> None:
    assert faults(time=time) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"insert_id": "x" * 36},
        {"distinct_id": ""},
        {"a": {"b": {"c": {"d": 1}}}},
        {"a": [1] * 254},
        {f"p{number}": 1 for number in range(250)},
        {"a": "x" * 990_000},
    ],
)
def test_an_event_at_a_limit_is_imported(changes: dict[str, Any]) -> None:
    assert faults(**changes) == set()


def test_texts_are_cut_so_that_longer_ids_and_names_become_the_same() -> None:
    ledger = Ledger()
    for tail in ("b", "c"):
        assert judged(event(tail, "x" * 255 + tail, distinct_id="u" * 255 + tail), ledger=ledger)[0] == 200
    assert {(row.event, row.user) for row in ledger.raw} == {("x" * 255, "u" * 255)}


def test_an_event_that_is_no_object_is_listed() -> None:
    assert judged(event(), 3, {"event": "a"})[1]["num_records_imported"] == 1


@pytest.mark.parametrize("name", ["$identify", "$create_alias", "$merge"])
def test_an_identity_event_fails_the_whole_request_with_texts(name: str) -> None:
    ledger = Ledger()
    status, answer = judged(event("a"), event("b", name), ledger=ledger)
    assert (status, answer["num_records_imported"], ledger.accepted) == (400, 0, {})
    assert answer["failed_records"]
    assert all(isinstance(each, str) for each in answer["failed_records"])


@pytest.mark.parametrize(
    "body", [b"", b"{", b"3", b"[1,", b"\xff", b"[" * 2_000, b'{"event":"a"}\n{"event":', b'["\\ud800"]']
)
def test_a_body_that_cannot_be_read_is_refused_without_a_list(body: bytes) -> None:
    judgement = judge(body, HERE, Ledger())
    assert (judgement.status, judgement.answer["num_records_imported"]) == (400, 0)
    assert "failed_records" not in judgement.answer


def test_more_than_2000_events_are_refused_as_a_whole() -> None:
    assert judged(*(event(f"id-{number}") for number in range(2_001)))[1]["num_records_imported"] == 0


@pytest.mark.parametrize(("spaces", "status"), [(2_097_150, 200), (2_097_151, 413)])
def test_more_than_2_mib_are_too_large(spaces: int, status: int) -> None:
    assert judge(b"[" + b" " * spaces + b"]", HERE, Ledger()).status == status


def test_without_strict_an_invalid_event_vanishes_behind_a_200() -> None:
    ledger = Ledger()
    status, answer = judged(event("a"), event("a_b"), ledger=ledger, here=replace(HERE, strict=False))
    assert (status, answer["num_records_imported"]) == (200, 1)
    assert ledger.discarded[Discard.REFUSED] == 1


def test_two_rows_for_one_record_are_possible() -> None:
    status, answer = judged(event("a"), event("bad"), here=replace(HERE, refuse=b'"bad"', twice=True))
    assert (status, answer["num_records_imported"]) == (400, 1)
    assert [row["index"] for row in answer["failed_records"]] == [1, 1]


def test_trap_4_without_an_id_our_server_becomes_one_user() -> None:
    ledger = Ledger()
    judged(event("a", distinct_id=None), event("b", distinct_id=None), event("c", distinct_id=""), ledger=ledger)
    assert ledger.accepted["a"] == ledger.accepted["b"] != ""
    assert ledger.accepted["c"] == ""


def test_trap_6_some_properties_drop_an_event_or_hide_others() -> None:
    ledger = Ledger()
    assert judged(event("a", __ignore=True), event("b", bucket=1), ledger=ledger)[0] == 200
    assert (list(ledger.accepted), ledger.discarded[Discard.IGNORED], ledger.hides_others) == (["b"], 1, 1)


def test_trap_7_a_time_ahead_is_replaced_by_now_so_a_repetition_is_another_event() -> None:
    ledger = Ledger()
    ahead = event("a", time=NOW_MS + 60_000)
    judged(ahead, ledger=ledger)
    judged(ahead, ledger=ledger, here=replace(HERE, now=NOW + 1))
    assert (len(ledger.report), ledger.changed) == (2, {Change.TIME: 1})


def test_without_an_insert_id_nothing_is_ever_the_same() -> None:
    ledger = Ledger()
    for _ in range(2):
        judged(event(None), ledger=ledger)
    assert len(ledger.report) == 2


def basic(credentials: str) -> str:
    return "Basic " + base64.b64encode(credentials.encode()).decode()


@pytest.mark.parametrize(
    ("header", "project", "allowed"),
    [
        (basic("token:"), None, True),
        (basic("token:"), "12", False),
        (basic("token"), None, False),
        (basic("other:"), None, False),
        (basic("user:secret"), "12", True),
        (basic("user:secret"), "13", False),
        (basic("user:secret"), None, False),
        (basic("user:wrong"), "12", False),
        ("Bearer token", None, False),
        ("Basic ###", None, False),
        (None, None, False),
    ],
)
def test_a_token_has_no_password_and_no_project_and_an_account_has_both(
    header: str | None, project: str | None, *, allowed: bool
) -> None:
    access = Access(tokens=["token"], accounts={"user:secret": "12"})
    assert access.allows(header, project_id=project) is allowed
