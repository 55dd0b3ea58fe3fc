"""Segment's implementation of the contract: its limits, bodies and requests."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from pipeline.core.destinations.segment.limits import MAX_RECORD_BYTES
from pipeline.delivery.answers import Answered, Response
from pipeline.delivery.reject_reasons import DeliveryRejectReason
from pipeline.processor.deciding import STAGE as PROCESSOR_STAGE
from pipeline.sinks.segment.api import MAX_ANSWER_BYTES, SegmentApi
from pipeline.sinks.segment.options import ENDPOINTS
from pipeline.sinks.segment.record_check import SegmentRejectReason
from tests.fakes.http_session import FakeAnswer, Wire
from tests.fakes.segment import WRITE_KEY, options, record

if TYPE_CHECKING:
    from collections.abc import Sequence


def posted(api: SegmentApi, requests: int = 1) -> list[Response]:
    async def scene() -> list[Response]:
        client = api.connect()
        answers = [await client.post(b'{"batch":[]}') for _ in range(requests)]
        await client.close()
        return answers

    return asyncio.run(scene())


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(monkeypatch)


def test_stages_are_safe_as_labels() -> None:
    assert [PROCESSOR_STAGE, SegmentApi.stage] == ["processor", "segment-sink"]


@pytest.mark.parametrize("endpoint", [*ENDPOINTS.values(), "https://proxy.example/segment"])
def test_a_request_goes_to_the_endpoint_of_the_options_with_the_key_as_basic_auth_alone(
    endpoint: str, wire: Wire
) -> None:
    posted(SegmentApi(options(endpoint=endpoint, gzip=False)))
    auth = base64.b64encode(f"{WRITE_KEY}:".encode()).decode()
    assert wire.posts == [
        (
            0,
            endpoint,
            {"data": b'{"batch":[]}', "headers": {"Authorization": f"Basic {auth}"}, "allow_redirects": False},
        )
    ]


def test_the_key_of_the_moment_is_used(wire: Wire) -> None:
    keys = [SecretStr("a" * 32), SecretStr("b" * 32)]
    posted(SegmentApi(options(), write_key=lambda: keys.pop(0)), requests=2)
    sent = [arguments["headers"]["Authorization"] for _, _, arguments in wire.posts]
    assert [base64.b64decode(each.removeprefix("Basic ")) for each in sent] == [b"a" * 32 + b":", b"b" * 32 + b":"]


def test_of_an_answer_no_more_is_read_than_decides_about_the_write_key(wire: Wire) -> None:
    wire.answers.append(FakeAnswer(400, b"x" * 10 * MAX_ANSWER_BYTES))
    (answer,) = posted(SegmentApi(options()))
    assert answer == Answered(status=400, body=b"x" * MAX_ANSWER_BYTES, whole=False)


def test_the_limits_are_those_of_the_options_and_of_segment() -> None:
    limits = SegmentApi(options(max_batch_bytes=100_000, max_batch_records=7)).limits
    assert (limits.max_bytes, limits.max_records, limits.max_record_bytes) == (100_000, 7, MAX_RECORD_BYTES)


@pytest.mark.parametrize("records", [[record("a")], [record("a"), record("b"), record("c")]])
def test_a_body_has_exactly_the_bytes_that_the_limits_count(records: Sequence[bytes]) -> None:
    api = SegmentApi(options())
    counted = api.limits.body_bytes(records=len(records), record_bytes=sum(map(len, records)))
    assert len(api.build_body(records, sent_at=1_767_225_600.0)) == counted


def test_every_reason_has_a_value_of_its_own() -> None:
    assert set(SegmentApi.reject_reasons) == {*DeliveryRejectReason, *SegmentRejectReason}
    assert len({reason.value for reason in SegmentApi.reject_reasons}) == len(SegmentApi.reject_reasons)
