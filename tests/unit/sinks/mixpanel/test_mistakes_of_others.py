"""The traps of Mixpanel's import call, and what went wrong in other exporters: each has a test that we do not do it.

Traps 1 to 3 and 7 are in `test_answers`, `test_record_check` and `test_sink`, trap 9 in `test_mixpanel_page`; the
others are here. Source of the answers: schemas/SOURCES.md, "Mixpanel import requests".
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import orjson
import pytest
from yarl import URL

from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from pipeline.core.processing import State, process
from pipeline.delivery.answers import Answered
from pipeline.delivery.decisions import Attempt, Decision, Done, Hold, Refuse, Retry, RetryPolicy, Unknown
from pipeline.settings.choices import MixpanelRegion
from pipeline.sinks.mixpanel.options import ENDPOINTS
from pipeline.sinks.mixpanel.record_check import MixpanelRejectReason
from tests.builders import MIXPANEL as CORE
from tests.builders import raw_event, raw_message
from tests.fakes.mixpanel import API, options, record, refusal, row, success

if TYPE_CHECKING:
    from collections.abc import Mapping

ATTEMPT = Attempt(
    number=1,
    sent_records=3,
    jitter=0.0,
    now=1_767_225_600.0,
    policy=RetryPolicy(
        base_seconds=2.0, max_seconds=60.0, retry_after_cap_seconds=300.0, added_jitter_seconds=(1.0, 5.0)
    ),
)


def decided(answer: Answered, *, sent: int = 3, jitter: float = 0.0) -> Decision:
    return API.decide(answer, replace(ATTEMPT, sent_records=sent, jitter=jitter))


def sent_properties(**event: object) -> Mapping[str, object]:
    """Return the properties of an event's record as it is sent."""
    outcome = process(raw_message(raw_event(**event)), Policy(records=CORE), State())  # type: ignore[arg-type]
    assert isinstance(outcome, Deliver)
    assert isinstance(API.examine(outcome.record), float)
    (read,) = orjson.loads(API.build_body([outcome.record], sent_at=0.0))
    properties: Mapping[str, object] = read["properties"]
    return properties


def test_trap_4_a_record_without_a_distinct_id_would_make_one_user_of_us_all_and_is_not_sent() -> None:
    assert API.examine(record(distinct_id=None)) is MixpanelRejectReason.NO_USER


def test_trap_5_no_event_locates_its_user_at_our_own_address() -> None:
    assert sent_properties()["ip"] == 0


@pytest.mark.parametrize("name", ["bucket", "$bucket", "$ignore"])
def test_trap_6_a_property_that_hides_or_drops_events_is_not_sent(name: str) -> None:
    value = orjson.loads(record())
    value["properties"][name] = "x"
    assert API.examine(orjson.dumps(value)) is MixpanelRejectReason.HARMFUL_PROPERTY


def test_trap_7_the_time_of_an_event_is_the_same_in_every_attempt() -> None:
    bodies = {API.build_body([record("a")], sent_at=sent_at) for sent_at in (0.0, 1e9, 2e9)}
    assert bodies == {b"[" + record("a") + b"]"}


def test_trap_8_no_event_of_a_known_user_merges_a_device_unless_the_setting_says_so() -> None:
    properties = sent_properties()
    assert "$user_id" in properties
    assert "$device_id" not in properties


def test_unlike_rudderstack_records_whose_ids_no_row_names_do_not_count_as_delivered() -> None:
    rows = [{"index": 0, "insert_id": "cut-off", "field": "event", "message": ""}, {"index": 1, "field": "event"}]
    decision = decided(refusal(*rows, imported=1))
    assert isinstance(decision, Done)
    assert {refused.index for refused in decision.refused} == {0, 1}
    assert isinstance(decided(refusal({"insert_id": "id-0", "field": "event"}, imported=2)), Unknown)


def test_unlike_segment_a_400_for_the_whole_batch_does_not_count_as_delivered() -> None:
    assert isinstance(decided(refusal("identity events are not allowed")), Refuse)
    assert isinstance(decided(refusal()), Refuse)


def test_unlike_all_others_imported_and_refused_records_must_add_up() -> None:
    assert isinstance(decided(success(3)), Done)
    assert isinstance(decided(success(2)), Unknown)
    assert isinstance(decided(refusal(row(0), imported=2)), Done)
    assert isinstance(decided(refusal(row(0), imported=3)), Unknown)


@pytest.mark.parametrize(
    "body", [b'{"status":1,"error":null}', b'{"status":1}', b'{"error":null,"status":0}', b"1", b"0"]
)
def test_unlike_the_form_mode_a_wrong_secret_answered_with_success_does_not_count(body: bytes) -> None:
    assert isinstance(decided(Answered(status=200, body=body)), Unknown)


@pytest.mark.parametrize("region", MixpanelRegion)
def test_unlike_the_sdks_the_strict_check_is_always_on(region: MixpanelRegion) -> None:
    assert URL(options(endpoint=ENDPOINTS[region]).url).query.getall("strict") == ["1"]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504, 524])
def test_unlike_the_sdks_text_from_a_proxy_is_no_exception_and_is_tried_again(status: int) -> None:
    body = b"upstream connect error or disconnect/reset before headers"
    assert isinstance(decided(Answered(status=status, body=body)), Retry)


def test_unlike_the_php_library_a_blocked_network_holds_and_loses_nothing() -> None:
    page = Answered(status=403, content_type="text/html", body=b"<html>403 Forbidden</html>")
    assert isinstance(decided(page), Hold)


def test_unlike_langfuse_one_banned_user_neither_fails_the_request_nor_is_sent_again() -> None:
    assert API.examine(record(distinct_id="null")) is MixpanelRejectReason.DISALLOWED_USER_ID
    decision = decided(refusal(row(1, "properties.distinct_id"), imported=2))
    assert isinstance(decision, Done)
    assert (decision.accepted, [refused.index for refused in decision.refused]) == (2, [1])


def test_unlike_analytics_ruby_a_retry_has_the_same_ids() -> None:
    sent = [orjson.loads(API.build_body([record("a"), record("b")], sent_at=at)) for at in (1.0, 2.0)]
    assert [each["properties"]["$insert_id"] for each in sent[0]] == ["a", "b"]
    assert sent[0] == sent[1]


@pytest.mark.parametrize("insert_id", ["x" * 37, "api_1", "ajs-next-1.2", "", "null"])
def test_unlike_segment_and_rudderstack_an_invalid_insert_id_is_neither_sent_nor_cut(insert_id: str) -> None:
    assert API.examine(record(insert_id)) is MixpanelRejectReason.INVALID_INSERT_ID


def test_unlike_segment_an_event_without_a_time_does_not_get_the_present_one() -> None:
    assert API.examine(record(time=None)) is MixpanelRejectReason.INVALID_TIME


def test_unlike_segment_an_event_without_an_id_has_the_same_insert_id_each_time() -> None:
    first, second = (sent_properties(id="", datetime="2026-01-01T00:00:00.120Z") for _ in range(2))
    assert first == second
    assert first["$insert_id"] != sent_properties(id="", datetime="2026-01-01T00:00:00.121Z")["$insert_id"]


def test_unlike_segment_an_anonymous_user_is_a_device_and_no_user_of_that_id() -> None:
    properties = sent_properties(external_id="")
    assert properties["distinct_id"] == f"$device:{properties['$device_id']}"
    assert "$user_id" not in properties


def test_unlike_segment_the_id_of_a_message_that_reaches_many_is_not_the_insert_id() -> None:
    sent = [sent_properties(id=f"e-{number}", message={"id": "campaign-1"}) for number in range(2)]
    assert [each["Message ID"] for each in sent] == ["campaign-1", "campaign-1"]
    assert [each["$insert_id"] for each in sent] == ["e-0", "e-1"]


@pytest.mark.parametrize("written", ["2026-01-01T01:00:00.120+01:00", "2025-12-31T19:00:00.120-05:00"])
def test_unlike_exports_in_local_time_no_time_moves_with_a_zone(written: str) -> None:
    assert sent_properties(timestamp=None, datetime=written)["time"] == 1_767_225_600_120


@pytest.mark.parametrize("attempt", [5, 11, 1_000])
@pytest.mark.parametrize("status", [429, 503])
def test_unlike_all_others_no_number_of_attempts_is_the_last(status: int, attempt: int) -> None:
    decision = API.decide(Answered(status=status), replace(ATTEMPT, number=attempt))
    assert isinstance(decision, Retry)
    assert decision.after_seconds <= 65.0


def test_unlike_posthog_retry_after_is_obeyed_and_retries_are_spread() -> None:
    asked = Answered(status=429, retry_after="90")
    assert decided(asked) == Retry(after_seconds=90.0, everywhere=True)
    busy = Answered(status=429)
    waits = [decided(busy, jitter=jitter) for jitter in (0.0, 0.5, 0.999)]
    assert waits[0] == Retry(after_seconds=3.0, everywhere=True)
    assert len({wait.after_seconds for wait in waits if isinstance(wait, Retry)}) == 3


def test_unlike_all_others_a_partner_keeps_its_own_source() -> None:
    assert sent_properties()["$source"] == "onesignal"
