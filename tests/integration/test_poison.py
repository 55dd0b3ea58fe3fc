"""Messages that could break a reader: each has an outcome, the messages around it arrive, and the workers survive."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

import orjson

from tests.integration.clients import RawMessage, read_topic
from tests.integration.pipeline_processes import SEGMENT_ROLES, running_pipeline
from tests.integration.test_end_to_end import numbers, write
from tests.integration.test_kill import click

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

NEIGHBOURS: Final = 20
MEGABYTE: Final = 1_000_000
LONG: Final = 20_000
RULES: Final = """
rules:
  - name: a pattern that invites a reader to try every way
    when: {message_name: "*a*a*a*a*a*a*a*a*a*a*a*b"}
    then: drop
default: keep
"""


def event(*, name: str = '"a name"', message: str | None = None, **changes: str) -> bytes:
    """Return a click as JSON; each argument is the raw JSON of a field's value, `message` that of the whole message."""
    fields = {
        "kind": '"message.push.clicked"',
        "id": f'"poison-{crc32(repr((name, message, changes)).encode())}"',
        "timestamp": "1767225600",
        "external_id": '"u"',
        "subscription_id": '"s"',
        **changes,
    }
    inside = ",".join(f'"{field}":{value}' for field, value in fields.items())
    around = message or f'{{"id":"m","name":{name}}}'
    return f'{{"event":{{{inside}}},"message":{around}}}'.encode()


def nested(depth: int, opening: str, closing: str) -> str:
    return opening * depth + closing * depth


def text(letters: str) -> str:
    return orjson.dumps(letters).decode()


POISON: Final[dict[str, bytes | None]] = {
    "nothing": None,
    "no bytes": b"",
    "garbage": bytes(range(256)) * 4,
    "half a letter": b'{"event":"\xc3',
    "not an object": b"[1, 2]",
    "1 MB of garbage": b"\xf0" * MEGABYTE,
    "1 MB of text": event(name=text("x" * MEGABYTE)),
    "1 MB of numbers": event(message='{"name":[' + ",".join(["1"] * (MEGABYTE // 2)) + "]}"),
    "10,000 lists deep": nested(10_000, "[", "]").encode(),
    "10,000 lists deep, in an event": event(message='{"name":' + nested(10_000, "[", "]") + "}"),
    "10,000 objects deep, in an event": event(message=nested(10_000, '{"a":', "}").replace(":}", ":1}", 1)),
    "two events": event()[:-1] + b',"event":{"kind":"message.push.sent","id":"other"}}',
    "two ids": event(timestamp='1767225600,"id":"second"'),
    "a lone surrogate, escaped": event(name='"\\ud800"'),
    "a lone surrogate as the user": event(external_id='"\\udc00"'),
    "a lone surrogate as bytes": event(name='"*"').replace(b"*", b"\xed\xa0\x80"),
    "a time beyond 64 bits": event(timestamp=str(2**70)),
    "a time of 5,000 digits": event(timestamp="9" * 5_000),
    "a time beyond doubles": event(timestamp="1e400"),
    "a time that is no number": event(timestamp="NaN"),
    "an id beyond 64 bits": event(external_id=str(2**70)),
    "a name for a slow pattern": event(name=text("a" * LONG)),
    "an address for a slow pattern": event(name=text("a" * LONG + "@" + "a." * LONG)),
    "digits for a slow pattern": event(name=text("+1 (2) 3-" * LONG)),
    "blanks for a slow pattern": event(name=text(" \t" * LONG + "!")),
    "an url for a slow pattern": event(message='{"name":"n","launch_url":' + text("http://" + "a?&=%" * LONG) + "}"),
}


DROPPED: Final = {"nothing"}
REJECTED: Final = {
    "no bytes": "not_json",
    "garbage": "not_utf8",
    "half a letter": "not_utf8",
    "not an object": "not_an_event",
    "1 MB of garbage": "not_utf8",
    "1 MB of text": "record_too_large",
    "10,000 lists deep": "too_deep",
    "10,000 lists deep, in an event": "too_deep",
    "10,000 objects deep, in an event": "too_deep",
    "two events": "no_user",
    "a lone surrogate as bytes": "not_utf8",
    "a time of 5,000 digits": "not_json",
    "a time beyond doubles": "not_json",
    "a time that is no number": "not_json",
    "an address for a slow pattern": "record_too_large",
    "digits for a slow pattern": "record_too_large",
    "blanks for a slow pattern": "record_too_large",
}


async def test_each_poisoned_message_has_one_outcome_and_its_neighbours_arrive(broker: Broker, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yaml"
    rules.write_text(RULES)
    async with running_pipeline(
        broker, tmp_path, partitions=1, RULES_FILE=str(rules), DEAD_LETTER_MAX_SHARE="1"
    ) as pipeline:
        bad = [RawMessage(key=name.encode(), value=value) for name, value in POISON.items()]
        good = [click(number, "good") for number in range(NEIGHBOURS + len(bad))]
        messages = [each for pair in zip(good, bad, strict=False) for each in pair] + good[len(bad) :]
        workers = processor, sink = [await pipeline.start(role) for role in SEGMENT_ROLES]
        await write(pipeline, messages)
        await pipeline.settled()

        told = await numbers(processor)
        assert told["events_received_total"] == len(messages)
        letters = read_topic(broker.bootstrap_servers, pipeline.dead_letter_topic)
        assert {(letter.key or b"").decode(): dict(letter.headers)["reason"].decode() for letter in letters} == REJECTED
        assert told["events_rejected_total"] == len(letters) == len(REJECTED)
        assert told["events_dropped_total"] == len(DROPPED)
        forwarded = len(messages) - len(REJECTED) - len(DROPPED)
        assert told["events_forwarded_total"] == forwarded
        assert (await numbers(sink))["sink_records_accepted_total"] == forwarded
        arrived = [message_id for message_id, user in pipeline.segment.ledger.accepted.items() if user == "good"]
        assert arrived == [orjson.loads(message.value or b"")["event"]["id"] for message in good]
        for worker in workers:
            assert await worker.said("/readyz", '"ready') == 200
            assert await worker.stop() == 0, pipeline.logs()
