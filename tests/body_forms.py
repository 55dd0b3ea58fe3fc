"""One event in every form that a raw topic can contain, and its outcome."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import orjson

from pipeline.core.avro.contracts import RAW_EVENT
from pipeline.core.avro.decoding import event_decoder
from pipeline.core.events import decode
from pipeline.core.outcomes import Deliver, Outcome
from pipeline.core.policy import Policy
from pipeline.core.processing import STATELESS, State, process
from tests.avro_bodies import FRAME, text_of, written
from tests.builders import SEGMENT, BodyShape, RawMessage, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.core.events import Event as Decoded
    from pipeline.core.outcomes import RejectReason
    from tests.builders import Event

LITERAL: Final = "@literal@"
"""A value that `encoded` replaces by JSON that orjson does not write, such as an integer of 100 digits."""
RAW: Final = "@raw@"
"""A part of a text that `encoded` replaces by unescaped bytes, such as a line break."""


class BodyForm(StrEnum):
    """The body shapes of `tests.builders`, the warehouse's columns in upper case, and Avro."""

    NESTED = "nested"
    DOTTED = "dotted"
    GROUPED = "grouped"
    SNAKE = "snake"
    UPPER = "upper"
    AVRO = "avro"


JSON_FORMS: Final = tuple(form for form in BodyForm if form is not BodyForm.AVRO)
FLAT_FORMS: Final = tuple(form for form in JSON_FORMS if form is not BodyForm.NESTED)

_SHAPES: Final[Mapping[BodyForm, BodyShape]] = {
    BodyForm.NESTED: BodyShape.NESTED,
    BodyForm.DOTTED: BodyShape.DOTTED,
    BodyForm.GROUPED: BodyShape.GROUPED,
    BodyForm.SNAKE: BodyShape.SNAKE,
    BodyForm.UPPER: BodyShape.SNAKE,
}
_decode_avro: Final = event_decoder(text_of(RAW_EVENT.schema))


def encoded(
    event: Event, form: BodyForm, *, literal: str = "", raw: bytes = b"", top: Mapping[str, Any] | None = None
) -> bytes:
    """Return a nested event as a body of a form; ``top`` are additional top-level keys."""
    if form is BodyForm.AVRO:
        return written(event)
    body: Event = orjson.loads(encode(_with_flat_subscription(event, form), _SHAPES[form]))
    if form is BodyForm.UPPER:
        body = {key.upper(): item for key, item in body.items()}
    value = orjson.dumps({**body, **(top or {})})
    return value.replace(b'"%s"' % LITERAL.encode(), literal.encode()).replace(RAW.encode(), raw)


def decoded(value: bytes, form: BodyForm) -> Decoded | RejectReason:
    """Decode a body of a form."""
    return _decode_avro(value, len(FRAME)) if form is BodyForm.AVRO else decode(value)


def outcome_of(value: bytes, form: BodyForm, policy: Policy | None = None, state: State = STATELESS) -> Outcome:
    """Process a body of a form."""
    return process(RawMessage(value=value), policy or Policy(records=SEGMENT), state, lambda body: decoded(body, form))


def record_of(outcome: Outcome) -> dict[str, Any]:
    """Return the record of a delivered event."""
    assert isinstance(outcome, Deliver), outcome
    record: dict[str, Any] = json.loads(outcome.record)
    return record


def properties_of(outcome: Outcome) -> dict[str, Any]:
    """Return the properties of a delivered event."""
    properties: dict[str, Any] = record_of(outcome)["properties"]
    return properties


def _with_flat_subscription(event: Event, form: BodyForm) -> Event:
    """Return an event whose ``user.subscription`` is flat: one key for each of its fields."""
    if form is BodyForm.NESTED or "subscription" not in event["user"]:
        return event
    user = dict(event["user"])
    separator = "_" if _SHAPES[form] is BodyShape.SNAKE else "."
    subscription = user.pop("subscription")
    return {
        **event,
        "user": {**user, **{f"subscription{separator}{name}": each for name, each in subscription.items()}},
    }
