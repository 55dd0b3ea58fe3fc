"""Decide on an import call as Mixpanel's HTTP API does: all, some or none of the events are accepted.

The rules are written anew here, without the pipeline's own checks, so that a mistake in those would show.
Source: schemas/SOURCES.md, "Mixpanel import requests" and "Mixpanel import limits".
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from pipeline.local.mixpanel.answers import MAX_REQUEST_BYTES, TOO_LARGE, refusal_of, success, whole_refusal
from pipeline.local.mixpanel.ledger import Discard, Row

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pipeline.local.mixpanel.ledger import Ledger

MAX_RECORDS: Final = 2_000
MAX_RECORD_BYTES: Final = 1_000_000
MAX_MEMBERS: Final = 254
MAX_DEPTH: Final = 3
MAX_CHARACTERS: Final = 255
EARLIEST_MS: Final = 31_536_000_000
SECONDS_AHEAD: Final = 3_600
_FIRST_MILLISECONDS: Final = EARLIEST_MS
"""Smaller times are seconds."""
_INSERT_ID: Final = re.compile(r"[A-Za-z0-9-]{1,36}")
_REFUSED_IDS: Final = frozenset(
    [
        "00000000-0000-0000-0000-000000000000",
        "anon",
        "anonymous",
        "nil",
        "none",
        "null",
        "n/a",
        "na",
        "undefined",
        "unknown",
        "<nil>",
        "0",
        "-1",
        "true",
        "false",
        "[]",
        "{}",
    ]
)
_IDENTITY_EVENTS: Final = frozenset({"$identify", "$create_alias", "$merge"})
_NESTED: Final = frozenset({dict, list})
_SIMPLIFIED: Final = "identity events are not allowed on a project with simplified identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Mixpanel's answer. ``records``: how many events the body had."""

    status: int
    answer: Mapping[str, Any]
    records: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What the stand-in accepts: project tokens, and service accounts as ``user:secret`` with their project."""

    tokens: Collection[str] = ()
    accounts: Mapping[str, str] = field(default_factory=dict)

    def allows(self, authorization: str | None, *, project_id: str | None) -> bool:
        """Return whether a Basic `Authorization` header and a project are valid."""
        scheme, _, encoded = (authorization or "").partition(" ")
        try:
            credentials = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return False
        user, colon, password = credentials.partition(":")
        if scheme.lower() != "basic" or not colon:
            return False
        if not password:
            return user in self.tokens and project_id is None
        return project_id is not None and self.accounts.get(credentials) == project_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What else an answer depends on. ``now`` in seconds since the epoch; ``sender`` is the address of the client.

    ``refuse`` is a text: events that contain it are refused; ``twice`` names each of them two times.
    """

    now: float
    sender: str = "127.0.0.1"
    strict: bool = True
    refuse: bytes | None = None
    twice: bool = False


def judge(body: bytes, circumstances: Circumstances, ledger: Ledger) -> Judgement:
    """Return the answer to a body, and store in the ledger what was accepted."""
    if len(body) > MAX_REQUEST_BYTES:
        return Judgement(status=413, answer=TOO_LARGE)
    try:
        events = _events_in(body)
    except orjson.JSONDecodeError:
        return Judgement(status=400, answer=whole_refusal("the request body cannot be read as JSON"))
    records = len(events)
    if records > MAX_RECORDS:
        answer = whole_refusal(f"a request has at most {MAX_RECORDS} events")
        return Judgement(status=400, answer=answer, records=records)
    if any(_is_of_identity(each) for each in events):
        return Judgement(status=400, answer=refusal_of([_SIMPLIFIED]), records=records)
    rows = _ingest(events, circumstances, ledger, may_be_large=len(body) >= MAX_RECORD_BYTES)
    imported = records - len({row["index"] for row in rows})
    if rows and circumstances.strict:
        return Judgement(status=400, answer=refusal_of(rows, imported=imported), records=records)
    return Judgement(status=200, answer=success(imported), records=records)


def _events_in(body: bytes) -> list[Any]:
    """Return the events of a JSON array or of JSON lines."""
    if body.lstrip()[:1] != b"{":
        found = orjson.loads(body)
        if not isinstance(found, list):
            raise orjson.JSONDecodeError("not an array", "", 0)
        return found
    return [orjson.loads(line) for line in body.splitlines() if line.strip()]


def _ingest(
    events: Sequence[Any], circumstances: Circumstances, ledger: Ledger, *, may_be_large: bool
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for index, event in enumerate(events):
        faults = _faults_of(event, circumstances)
        if not faults and may_be_large and len(orjson.dumps(event)) >= MAX_RECORD_BYTES:
            faults = [("event", "the event is too large")]
        if not faults:
            _accept(event, circumstances, ledger)
            continue
        ledger.discarded[Discard.REFUSED] += 1
        properties = event.get("properties") if isinstance(event, dict) else None
        insert_id = properties.get("$insert_id", "") if isinstance(properties, dict) else ""
        rows += ({"index": index, "insert_id": insert_id, "field": name, "message": why} for name, why in faults)
    return rows


def _faults_of(event: Any, circumstances: Circumstances) -> list[tuple[str, str]]:
    if not isinstance(event, dict) or not isinstance(properties := event.get("properties"), dict):
        return [("properties", "an event is an object with properties")]
    holds = {
        "event": isinstance(event.get("event"), str) and event["event"] != "",
        "properties.time": _is_time(properties, circumstances),
        "properties.distinct_id": _is_user(properties),
        "properties.$insert_id": _is_insert_id(properties),
        "properties": _is_small(properties),
    }
    if not all(holds.values()):
        # Mixpanel's words may quote a value of the event.
        return [(where, f"'{properties}' is invalid") for where, is_valid in holds.items() if not is_valid]
    if circumstances.refuse is None or circumstances.refuse not in orjson.dumps(event):
        return []
    why = f"an event with '{circumstances.refuse.decode()}' is refused"
    return [("properties", why), ("event", why)] if circumstances.twice else [("properties", why)]


def _is_of_identity(event: Any) -> bool:
    name = event.get("event") if isinstance(event, dict) else None
    return isinstance(name, str) and name in _IDENTITY_EVENTS


def _is_time(properties: Mapping[str, Any], circumstances: Circumstances) -> bool:
    time = properties.get("time")
    if type(time) is not int:  # nor a bool
        return False
    return EARLIEST_MS <= _milliseconds(time) <= (circumstances.now + SECONDS_AHEAD) * 1000


def _milliseconds(time: int) -> int:
    return time * 1000 if time < _FIRST_MILLISECONDS else time


def _is_user(properties: Mapping[str, Any]) -> bool:
    user = properties.get("distinct_id", "")
    return isinstance(user, str) and user not in _REFUSED_IDS


def _is_insert_id(properties: Mapping[str, Any]) -> bool:
    if "$insert_id" not in properties:
        return True
    insert_id = properties["$insert_id"]
    if not isinstance(insert_id, str) or insert_id in _REFUSED_IDS:
        return False
    return _INSERT_ID.fullmatch(insert_id) is not None


def _is_small(properties: Mapping[str, Any]) -> bool:
    if len(properties) > MAX_MEMBERS:
        return False
    level: Collection[Any] = properties.values()
    for _ in range(MAX_DEPTH + 1):
        if _NESTED.isdisjoint(map(type, level)):
            return True
        nested = [each for each in level if type(each) in _NESTED]
        if any(len(each) > MAX_MEMBERS for each in nested):
            return False
        level = [inner for each in nested for inner in (each.values() if isinstance(each, dict) else each)]
    return False


def _accept(event: Mapping[str, Any], circumstances: Circumstances, ledger: Ledger) -> None:
    properties = event["properties"]
    if "$ignore" in properties:
        ledger.discarded[Discard.IGNORED] += 1
        return
    ledger.hides_others += "bucket" in properties or "$bucket" in properties
    time, now_ms = _milliseconds(properties["time"]), int(circumstances.now * 1000)
    user = properties.get("distinct_id")
    if user is None:  # the sender's address becomes one user
        user = hashlib.sha256(circumstances.sender.encode()).hexdigest()[:32]
    insert_id = properties.get("$insert_id") or str(uuid.uuid4())
    ledger.accept(Row(event["event"][:MAX_CHARACTERS], user[:MAX_CHARACTERS], min(time, now_ms), insert_id))
