"""Mixpanel's records, answers and options, for tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson
from pydantic import SecretStr

from pipeline.delivery.answers import Answered
from pipeline.sinks.mixpanel.api import MixpanelApi
from pipeline.sinks.mixpanel.options import MixpanelOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline.delivery.answers import Response
    from pipeline.delivery.client import RequestClient

TOKEN: Final = "0123456789abcdef0123456789abcdef"
TIME_MS: Final = 1_767_225_600_120


def options(**changes: Any) -> MixpanelOptions:
    """Build options with a project token and changes."""
    usual: dict[str, Any] = {"endpoint": "https://api.mixpanel.com/import", "project_token": SecretStr(TOKEN)}
    return MixpanelOptions(**(usual | changes))


API: Final = MixpanelApi(options())
SMALL: Final = MixpanelApi(options())
"""Mixpanel with the record size of Segment, for tests of delivery with small requests."""
SMALL.limits = replace(API.limits, max_record_bytes=32_768)


def record(insert_id: str = "id-1", *, event: object = "$campaign_delivery", **properties: Any) -> bytes:
    """Build a record with what each of ours has; a property that is given as None is left out."""
    usual = {
        "distinct_id": "u-1",
        "$user_id": "u-1",
        "$insert_id": insert_id,
        "time": TIME_MS,
        "event_kind": "message.push.sent",
        "message_type": "push",
        "$source": "onesignal",
        "ip": 0,
    }
    whole = {**usual, **{name.replace("__", "$"): value for name, value in properties.items()}}
    return orjson.dumps(
        {"event": event, "properties": {name: value for name, value in whole.items() if value is not None}}
    )


def success(imported: object, *, status: int = 200, whole: bool = True) -> Answered:
    """Build an answer that accepts, as Mixpanel documents it."""
    body = orjson.dumps({"code": status, "num_records_imported": imported, "status": "OK"})
    return Answered(status=status, content_type="application/json", body=body, whole=whole)


def row(index: object, field: object = "properties.time", **more: object) -> dict[str, object]:
    """Build a row of a refusal. Its message quotes a value, which must not be kept."""
    return {"index": index, "insert_id": f"id-{index}", "field": field, "message": "'person@private.example'", **more}


def refusal(*rows: object, imported: object = 0, whole: bool = True, **more: object) -> Answered:
    """Build a 400; without rows it has an empty list of them."""
    body = {
        "code": 400,
        "error": "some data points in the request failed validation",
        "status": "Bad Request",
        "num_records_imported": imported,
        "failed_records": list(rows),
        **more,
    }
    return Answered(status=400, content_type="application/json", body=orjson.dumps(body), whole=whole)


def ids_of(body: bytes) -> Sequence[str]:
    """Return the insert ids of a request's body."""
    return [each["properties"]["$insert_id"] for each in orjson.loads(body)]


def in_mixpanels_words(response: Response, *, records: int) -> Response:
    """Return a bare 200 or 400 with the body that Mixpanel would send; any other response as it is."""
    if not isinstance(response, Answered) or response.status not in {200, 400} or response.content_type:
        return response
    in_full = success(records) if response.status == 200 else refusal()
    return replace(in_full, whole=response.whole)


class ScriptedMixpanel(MixpanelApi):
    """Mixpanel, with connections to a fake whose answers are Segment's; they are given in Mixpanel's words."""

    def __init__(self, connect: Callable[[], RequestClient], **sizes: int) -> None:
        super().__init__(options())
        self.limits = replace(SMALL.limits, **sizes)
        self._connect = connect

    def connect(self) -> RequestClient:
        return _TranslatingClient(self._connect())


@dataclass(slots=True)
class _TranslatingClient:
    client: RequestClient

    async def post(self, body: bytes) -> Response:
        response = await self.client.post(body)
        return in_mixpanels_words(response, records=len(orjson.loads(body)))

    async def close(self) -> None:
        await self.client.close()
