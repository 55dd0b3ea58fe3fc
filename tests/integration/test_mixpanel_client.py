"""Events of Mixpanel's own client and ours get the same answers from the stand-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest
from mixpanel import Mixpanel

from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.outcomes import Deliver
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, process
from pipeline.delivery.client import basic_auth
from pipeline.local.mixpanel.stand_in import PROJECT_TOKEN, MixpanelStandIn
from pipeline.sinks.mixpanel.api import INTEGRATION_ID
from pipeline.sinks.mixpanel.body import build_body
from tests.builders import RawMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECONDS = 1_767_225_600
POLICY = Policy(records=MixpanelRecords())


class Capturing:
    """A consumer of the client that keeps what it would send."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, endpoint: str, message: str, api_key: object = None, api_secret: object = None) -> None:
        del api_key, api_secret
        assert endpoint == "imports"
        self.sent.append(message.encode())


def by_the_client(name: str, user: str, insert_id: str, time: int, **properties: Any) -> bytes:
    consumer = Capturing()
    usual = {"$insert_id": insert_id, "ip": 0, **properties}
    Mixpanel(PROJECT_TOKEN, consumer=consumer).import_data(None, user, name, time, usual)
    (event,) = consumer.sent
    return event


def by_us(kind: str, user: str, event_id: str) -> bytes:
    event = {"kind": kind, "id": event_id, "external_id": user, "timestamp": SECONDS}
    message = RawMessage(key=user.encode(), value=orjson.dumps({"event": event}), timestamp=SECONDS * 1000)
    outcome = process(message, POLICY, STATELESS)
    assert isinstance(outcome, Deliver)
    return outcome.record


@pytest.fixture
async def stand_in() -> AsyncIterator[MixpanelStandIn]:
    made = MixpanelStandIn()
    await made.start()
    yield made
    await made.stop()


async def answer_to(stand_in: MixpanelStandIn, *events: bytes) -> tuple[int, dict[str, Any]]:
    headers = {"X-Mixpanel-Integration-ID": INTEGRATION_ID, "Authorization": basic_auth(PROJECT_TOKEN, "")}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{stand_in.endpoint}?strict=1", data=build_body(events)) as answer,
    ):
        return answer.status, orjson.loads(await answer.read())


async def test_both_are_imported(stand_in: MixpanelStandIn) -> None:
    theirs = by_the_client("$campaign_delivery", "u-1", "a-1", SECONDS)
    ours = by_us("message.push.sent", "u-1", "a-2")
    assert await answer_to(stand_in, theirs, ours) == (200, {"code": 200, "num_records_imported": 2, "status": "OK"})
    assert [(row.event, row.user) for row in stand_in.ledger.raw] == [("$campaign_delivery", "u-1")] * 2


async def test_the_same_event_of_both_is_one_in_a_report(stand_in: MixpanelStandIn) -> None:
    theirs = by_the_client("$app_open", "u-1", "a-1", SECONDS)
    ours = by_us("message.push.clicked", "u-1", "a-1")
    assert (await answer_to(stand_in, theirs, ours))[0] == 200
    assert (len(stand_in.ledger.raw), len(stand_in.ledger.report)) == (2, 1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"insert_id": "a_1"}, "properties.$insert_id"),
        ({"insert_id": "x" * 37}, "properties.$insert_id"),
        ({"user": "null"}, "properties.distinct_id"),
        ({"time": SECONDS - 60 * 365 * 86_400}, "properties.time"),
        ({"name": ""}, "event"),
        ({"a": {"b": {"c": {"d": {}}}}}, "properties"),
    ],
)
async def test_what_is_wrong_with_one_is_wrong_with_the_other(
    stand_in: MixpanelStandIn, changes: dict[str, Any], field: str
) -> None:
    usual: dict[str, Any] = {"name": "$app_open", "user": "u-1", "insert_id": "a-1", "time": SECONDS}
    theirs = by_the_client(**(usual | changes))
    ours = orjson.loads(by_us("message.push.clicked", "u-1", "a-1"))
    names = {"insert_id": "$insert_id", "user": "distinct_id"}
    for name, value in changes.items():
        if name == "name":
            ours["event"] = value
        else:
            ours["properties"][names.get(name, name)] = value
    answers = [await answer_to(stand_in, each) for each in (theirs, orjson.dumps(ours))]
    assert [status for status, _ in answers] == [400, 400]
    assert [[row["field"] for row in answer["failed_records"]] for _, answer in answers] == [[field], [field]]


async def test_the_clients_form_of_a_missing_id_is_refused_and_ours_is_never_sent(stand_in: MixpanelStandIn) -> None:
    theirs = by_the_client("$app_open", "anonymous", "a-1", SECONDS)
    assert (await answer_to(stand_in, theirs))[0] == 400
    event = {"kind": "message.push.clicked", "id": "a-1", "external_id": "anonymous", "timestamp": SECONDS}
    outcome = process(RawMessage(value=orjson.dumps({"event": event})), POLICY, STATELESS)
    assert not isinstance(outcome, Deliver)
