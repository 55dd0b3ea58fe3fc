"""The options that an app sets for aiokafka's consumer."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import aiokafka
import pytest

from pipeline.stream.app import build_app
from tests.fakes.stream import FakeStep, app_options

if TYPE_CHECKING:
    from collections.abc import Mapping

MEBIBYTE = 1024 * 1024


def consumer_arguments(**changes: Any) -> Mapping[str, Any]:
    app = build_app(app_options(**changes), FakeStep(), on_committed=lambda: None)
    arguments: Mapping[str, Any] = app.transport.options.consumer
    inspect.signature(aiokafka.AIOKafkaConsumer).bind(**arguments)
    return arguments


@pytest.mark.parametrize(("of_a_partition", "of_an_answer"), [(MEBIBYTE, 2 * MEBIBYTE), (5 * MEBIBYTE, 5 * MEBIBYTE)])
async def test_an_answer_is_bounded_and_holds_the_largest_fetch_of_one_partition(
    of_a_partition: int, of_an_answer: int
) -> None:
    arguments = consumer_arguments(fetch_max_bytes=of_a_partition)
    assert arguments["max_partition_fetch_bytes"] == of_a_partition
    assert arguments["fetch_max_bytes"] == of_an_answer


async def test_the_first_message_is_answered_at_once_and_a_silent_broker_twice_a_second() -> None:
    arguments = consumer_arguments(max_poll_records=17)
    assert arguments["fetch_max_wait_ms"] == 500
    assert "fetch_min_bytes" not in arguments, "aiokafka's is one byte"
    assert arguments["max_poll_records"] == 17


@pytest.mark.parametrize(("rebalance", "request_timeout"), [(10.0, 40_000), (60.0, 65_000)])
async def test_a_request_to_join_is_not_given_up_before_the_rebalance_is(
    rebalance: float, request_timeout: int
) -> None:
    arguments = consumer_arguments(rebalance_timeout_seconds=rebalance)
    assert arguments["rebalance_timeout_ms"] == rebalance * 1_000
    assert arguments["request_timeout_ms"] == request_timeout


@pytest.mark.parametrize(("session", "heartbeat"), [(6.0, 2_000), (45.0, 3_000)])
async def test_a_session_holds_three_heartbeats(session: float, heartbeat: int) -> None:
    arguments = consumer_arguments(session_timeout_seconds=session)
    assert arguments["session_timeout_ms"] == session * 1_000
    assert arguments["heartbeat_interval_ms"] == heartbeat


async def test_a_consumer_connects_as_it_was_told_and_keeps_its_membership_for_days() -> None:
    arguments = consumer_arguments(connection={"bootstrap_servers": "k:9092", "security_protocol": "SSL"})
    assert (arguments["bootstrap_servers"], arguments["security_protocol"]) == ("k:9092", "SSL")
    assert arguments["client_id"] == "onesignal-pipeline-test"
    assert arguments["max_poll_interval_ms"] == 604_800_000
