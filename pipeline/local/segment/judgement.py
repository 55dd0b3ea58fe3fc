"""Decide on a batch request as Segment's HTTP API does: 400 to some faults, 200 to many records that it discards.

Source: schemas/SOURCES.md, "Segment batch requests".
"""

from __future__ import annotations

import base64
import binascii
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from pipeline.local.segment.ledger import Discard

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipeline.local.segment.ledger import Ledger

MAX_REQUEST_BYTES: Final = 500_000
MAX_RECORD_BYTES: Final = 32_768
MAX_RECORDS: Final = 2_500
KEY_CHARACTERS: Final = 32
"""An unknown key of this length gets 200; a shorter one gets 400
(schemas/SOURCES.md, "Segment write keys")."""


class _Batch(msgspec.Struct, frozen=True):
    batch: list[msgspec.Raw]
    write_key: str = msgspec.field(name="writeKey", default="")
    sent_at: str | None = msgspec.field(name="sentAt", default=None)


class _Call(msgspec.Struct, frozen=True):
    type: Any = None
    event: Any = None
    message_id: Any = msgspec.field(name="messageId", default=None)
    user_id: Any = msgspec.field(name="userId", default=None)
    anonymous_id: Any = msgspec.field(name="anonymousId", default=None)


_decode_batch = msgspec.json.Decoder(_Batch).decode
_decode_call = msgspec.json.Decoder(_Call).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Segment's answer: the status, and the reason of a 400."""

    status: int
    message: str = ""
    records: int = 0
    sent_at: str | None = None


def judge(body: bytes, *, authorization: str | None, keys: Collection[str], ledger: Ledger) -> Judgement:
    """Return the answer to a batch, and record in the ledger which records were accepted or discarded."""
    if len(body) > MAX_REQUEST_BYTES:
        return Judgement(status=400, message="the request is too large")
    try:
        body.decode()
        batch = _decode_batch(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Judgement(status=400, message="the body is not a batch in JSON")
    key = batch.write_key if authorization is None else basic_auth_key(authorization)
    if len(key) < KEY_CHARACTERS:
        return Judgement(status=400, message="An invalid write key was provided")
    if any(memoryview(raw).nbytes > MAX_RECORD_BYTES for raw in batch.batch):
        return Judgement(status=400, message="an event is too large")
    _write(batch.batch, known=key in keys, ledger=ledger)
    return Judgement(status=200, records=len(batch.batch), sent_at=batch.sent_at)


def basic_auth_key(authorization: str) -> str:
    """Return the write key of a Basic auth header: the user name, if the password after the colon is empty."""
    scheme, _, credentials = authorization.partition(" ")
    try:
        user, colon, password = base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return user if scheme.lower() == "basic" and colon and not password else ""


def _write(batch: list[msgspec.Raw], *, known: bool, ledger: Ledger) -> None:
    if not known:
        ledger.discarded[Discard.UNKNOWN_KEY] += len(batch)
        return
    if len(batch) > MAX_RECORDS:
        ledger.discarded[Discard.TOO_MANY_RECORDS] += len(batch)
        return
    for raw in batch:
        _write_one(raw, ledger)


def _write_one(raw: msgspec.Raw, ledger: Ledger) -> None:
    try:
        call = _decode_call(raw)
    except msgspec.ValidationError:
        call = _Call()
    user = call.user_id or call.anonymous_id
    if not isinstance(call.type, str):
        ledger.discarded[Discard.NO_TYPE] += 1
    elif not isinstance(user, str):
        ledger.discarded[Discard.NO_USER] += 1
    elif call.type == "track" and not (isinstance(call.event, str) and call.event):
        ledger.discarded[Discard.NO_EVENT_NAME] += 1
    else:
        given = isinstance(call.message_id, str) and call.message_id
        ledger.accept(call.message_id if given else str(uuid.uuid4()), user)
