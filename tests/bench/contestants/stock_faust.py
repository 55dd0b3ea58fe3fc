"""The processor's task on stock Faust, written as in its documentation: an agent and `topic.send`.

The same `process`, headers and dead letters. It promises less than the pipeline: Faust acknowledges an event when the
producer has buffered it, before the broker has confirmed it, and reads uncommitted messages. So its figures are those
of an easier task.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import faust

from pipeline.core.outcomes import Deliver, Drop, Reject
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.kafka import headers
from pipeline.settings.choices import Requirement
from pipeline.settings.loading import load_settings
from tests.bench.meter import Meter, end_in_order, meter_parser
from tests.builders import SEGMENT

if TYPE_CHECKING:
    from pipeline.settings.sections import Settings


@dataclass(frozen=True, slots=True)
class FaustMessage:
    """Wraps a Faust message as `pipeline.core.messages.Message`."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: tuple[tuple[str, bytes], ...]


def build_app(settings: Settings, policy: Policy, meter: Meter, data_directory: str) -> Any:
    app = faust.App(
        settings.segment.processor_group,
        broker=f"kafka://{settings.kafka_bootstrap_servers}",
        store="memory://",
        datadir=data_directory,
        broker_session_timeout=settings.session_timeout_seconds,
        broker_heartbeat_interval=settings.session_timeout_seconds / 3,
        key_serializer="raw",
        value_serializer="raw",
        autodiscover=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
    )
    raw, records, letters = (
        app.topic(name) for name in (settings.raw_topic, settings.segment.records_topic, settings.dead_letter_topic)
    )
    rules = (headers.RULES_VERSION, policy.version.encode())

    async def forward(stream: Any) -> None:
        async for event in stream.events():
            received = event.message
            meter.received(1)
            message = FaustMessage(
                received.topic,
                received.partition,
                received.offset,
                received.key,
                received.value,
                int(received.timestamp * 1000),
                (),
            )
            source = (
                (headers.SOURCE_PARTITION, b"%d" % message.partition),
                (headers.SOURCE_OFFSET, b"%d" % message.offset),
            )
            match process(message, policy, STATELESS):
                case Deliver(user_key=key, record=record):
                    sent = await records.send(
                        key=key,
                        value=record,
                        partition=message.partition,
                        headers=[*source, (headers.FORMAT_VERSION, headers.RECORD_FORMAT), rules],
                    )
                    sent.add_done_callback(lambda _sent: meter.settled(1))
                case Reject(reason=reason):
                    sent = await letters.send(
                        key=message.key,
                        value=message.value,
                        headers=[
                            (headers.REASON, reason.value.encode()),
                            (headers.STAGE, b"processor"),
                            (headers.SOURCE_TOPIC, message.topic.encode()),
                            *source,
                            (headers.REJECTED_AT, b"%d" % (time.time_ns() // 1_000_000)),
                            rules,
                            (headers.FORMAT_VERSION, headers.DEAD_LETTER_FORMAT),
                        ],
                    )
                    sent.add_done_callback(lambda _sent: meter.settled(1))
                case Drop():
                    meter.settled(1)

    app.agent(raw)(forward)
    return app


def main() -> int:
    options = meter_parser().parse_args()
    settings = load_settings(os.environ, requirements=[Requirement.KAFKA])
    meter = Meter(messages=options.messages, report=options.report, on_done=end_in_order)
    with TemporaryDirectory() as data_directory:
        app = build_app(settings, Policy(records=SEGMENT), meter, data_directory)
        faust.Worker(app, loglevel="WARNING", quiet=True).execute_from_commandline()
    return 0


if __name__ == "__main__":
    sys.exit(main())
