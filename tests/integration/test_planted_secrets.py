"""Secrets and personal data in events and settings appear nowhere, even with the most verbose logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson

from pipeline.local.segment.stand_in import WRITE_KEY
from tests.builders import raw_event
from tests.integration.brokers import REMEMBERED
from tests.integration.clients import RawMessage, eventually, read_topic
from tests.integration.pipeline_processes import SEGMENT_ROLES, running_pipeline
from tests.integration.test_end_to_end import write

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

TRACKED_USERS_SECRET: Final = "planted-secret-of-tracked-users"
EXTERNAL_ID: Final = "planted-external-id"
BODY: Final = "planted words of a message"
EMAIL: Final = "planted.person@private.example"
PHONE: Final = "+4915700000001"
PUSH_TOKEN: Final = "planted0push0token0f1a0cf2b7d94e0f6f1a0cf2b7d94e0f"
SECRETS: Final = (WRITE_KEY, TRACKED_USERS_SECRET)
PERSONAL: Final = (EMAIL, PHONE, PUSH_TOKEN)
EACH: Final = 30


def planted(kind: str, number: int, **more: Any) -> dict[str, Any]:
    """Return an event that contains all of them, in OneSignal's fields."""
    return raw_event(
        kind,
        id=f"e-{kind}-{number}",
        external_id=EXTERNAL_ID,
        message={"contents": BODY, "url": f"https://shop.example/?to={EMAIL}&phone={PHONE}"},
        user={"email": EMAIL, "subscription": {"subscription_token": PUSH_TOKEN, "id": PHONE}, "tags": {"mail": EMAIL}},
        data={"failure_reason": f"550 <{EMAIL}> {PUSH_TOKEN} is full"},
        **more,
    )


def traffic() -> list[RawMessage]:
    """Return good events, some that are rejected, and some that end in the middle of an address."""
    bodies = [
        orjson.dumps(planted(kind, number))
        for kind in ("message.push.clicked", "message.email.failed", "message.push.sent", f"message.{EMAIL}.sent")
        for number in range(EACH)
    ]
    bodies += [bodies[0][: bodies[0].index(EMAIL.encode()) + 8] for _ in range(EACH)]
    return [RawMessage(key=EXTERNAL_ID.encode(), value=body, partition=0) for body in bodies]


async def test_nothing_that_is_secret_or_personal_goes_where_it_must_not(broker: Broker, tmp_path: Path) -> None:
    settings = {
        "LOG_LEVEL": "debug",
        "DEAD_LETTER_MAX_SHARE": "1",
        "RULES_PRESET": "tracked-only",
        "TRACKED_USERS_SECRET": TRACKED_USERS_SECRET,
        "TRACKED_USERS_TOPIC": broker.create_topic("tracked-users", 1, **REMEMBERED),
        "MESSAGE_CATALOGUE": "true",
        "MESSAGE_CATALOGUE_TOPIC": broker.create_topic("message-catalogue", 1, **REMEMBERED),
    }
    async with running_pipeline(broker, tmp_path, partitions=1, **settings) as pipeline:
        await write(pipeline, traffic())
        workers = [await pipeline.start(role) for role in SEGMENT_ROLES]
        await pipeline.settled()
        servers = broker.bootstrap_servers
        await eventually(lambda: len(read_topic(servers, pipeline.dead_letter_topic)) == 2 * EACH)
        pages = [(await worker.get(path))[1] for worker in workers for path in ("/metrics", "/healthz", "/readyz")]
        assert [await worker.stop() for worker in workers] == [0, 0], pipeline.logs()

        told = "\n".join([*(worker.log.read_text() for worker in workers), *pages])
        assert "events settled" in told
        assert found(told.encode(), (*SECRETS, *PERSONAL, EXTERNAL_ID, BODY)) == []

        records = read_topic(servers, pipeline.records_topic)
        letters = read_topic(servers, pipeline.dead_letter_topic)
        remembered = read_topic(servers, settings["TRACKED_USERS_TOPIC"])
        catalogue = read_topic(servers, settings["MESSAGE_CATALOGUE_TOPIC"])
        assert records
        assert remembered
        assert catalogue
        assert found(b"".join(each.value or b"" for each in records), (*SECRETS, *PERSONAL)) == []
        headers = b"".join(value for each in letters for _, value in each.headers)
        assert found(headers, (*SECRETS, *PERSONAL, EXTERNAL_ID, BODY)) == []
        hidden = (*SECRETS, *PERSONAL, EXTERNAL_ID, BODY)
        assert found(b"".join((each.key or b"") + (each.value or b"") for each in remembered), hidden) == []
        kept = b"".join((each.key or b"") + (each.value or b"") for each in catalogue)
        assert found(kept, (*SECRETS, *PERSONAL, EXTERNAL_ID)) == []


def found(where: bytes, planted_texts: tuple[str, ...]) -> list[str]:
    return [text for text in planted_texts if text.encode() in where]
