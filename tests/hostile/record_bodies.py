"""Hostile values of the records topic, as a foreign producer or a faulty processor could write them."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any, Final

from tests.hostile.messages import DELIVERED, MEGABYTE, letter
from tests.hostile.planted import personal_text
from tests.integration.test_planted_secrets import EXTERNAL_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.hostile.raw_bodies import Bodies

NOT_JSON: Final = letter("not_json")
NOT_A_TRACK_CALL: Final = letter("not_a_track_call")
NO_EVENT_NAME: Final = letter("no_event_name")
NO_USER: Final = letter("no_user")
NO_MESSAGE_ID: Final = letter("no_message_id")
TOO_DEEP: Final = letter("too_deep")
TOO_LARGE: Final = letter("too_large")


def call(**changes: Any) -> bytes:
    """Return a track call; a change to None omits the field."""
    fields: dict[str, Any] = {
        "type": "track",
        "event": "Push Clicked",
        "messageId": "hostile",
        "userId": f"{EXTERNAL_ID}-hostile",
        "properties": {},
        **changes,
    }
    return json.dumps({name: value for name, value in fields.items() if value is not None}).encode()


GOOD: Final = call()


def with_raw(name: str, value: str) -> bytes:
    """Return a track call with another field, whose value is raw JSON."""
    return GOOD[:-1] + f',"{name}":{value}}}'.encode()


NO_JSON: Final[Bodies] = {
    "a tombstone": (None, letter("tombstone")),
    "no bytes": (b"", NOT_JSON),
    "a NUL": (b"\0", NOT_JSON),
    "garbage": (bytes(range(256)), NOT_JSON),
    "UTF-16": (GOOD.decode().encode("utf-16"), NOT_JSON),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD, NOT_JSON),
    "gzip": (gzip.compress(GOOD, mtime=0), NOT_JSON),
    "Avro without its header": (b"\0\0\0\0\x01\x02\x06abc", NOT_JSON),
    "broken UTF-8 in an unknown field": (GOOD[:-1] + b',"x":"\xff"}', NOT_JSON),
    "a surrogate as bytes": (GOOD[:-1] + b',"x":"\xed\xa0\x80"}', NOT_JSON),
    "cut in the middle": (GOOD[:30], NOT_JSON),
    "two records": (GOOD + GOOD, NOT_JSON),
    "two records with a comma": (GOOD + b"," + GOOD, NOT_JSON),
    "an end of the whole request": (GOOD + b']},{"batch":[' + GOOD, NOT_JSON),
    "a comma too many": (GOOD[:-1] + b",}", NOT_JSON),
    "NaN": (with_raw("x", "NaN"), NOT_JSON),
    "Infinity": (with_raw("x", "-Infinity"), NOT_JSON),
    "a line break in a text": (with_raw("x", '"\n"'), NOT_JSON),
    "half an escape": (with_raw("x", r'"\u12"'), NOT_JSON),
    "half an emoji, escaped": (with_raw("x", r'"\ud83d"'), NOT_JSON),
    "a comment": (GOOD + b"// none", NOT_JSON),
}

NO_CALLS: Final[Bodies] = {
    "null": (b"null", NOT_A_TRACK_CALL),
    "a list": (b"[]", NOT_A_TRACK_CALL),
    "an empty object": (b"{}", NOT_A_TRACK_CALL),
    "a call of another type": (call(type="identify"), NOT_A_TRACK_CALL),
    "a type that is a list": (call(type=["track"]), NOT_A_TRACK_CALL),
    "no type": (call(type=None), NOT_A_TRACK_CALL),
    "no event name": (call(event=None), NO_EVENT_NAME),
    "an event name that is empty": (call(event=""), NO_EVENT_NAME),
    "an event name that is blank": (call(event=" \t\u2003"), NO_EVENT_NAME),
    "an event name that is a number": (call(event=7), NO_EVENT_NAME),
    "no user": (call(userId=None), NO_USER),
    "a user that is a number": (call(userId=7), NO_USER),
    "a user that is blank": (call(userId=" "), NO_USER),
    "no id": (call(messageId=None), NO_MESSAGE_ID),
    "an id that is blank": (call(messageId="\u00a0"), NO_MESSAGE_ID),
    "an id that is a list": (call(messageId=["m"]), NO_MESSAGE_ID),
    "an id of 101 letters": (call(messageId="m" * 101), letter("message_id_too_long")),
    "33 KB": (call(properties={"x": "y" * 33_000}), TOO_LARGE),
    "a megabyte less a little": (call(properties={"x": "y" * (MEGABYTE - 1_000)}), TOO_LARGE),
    "33 KB of blanks behind it": (GOOD + b" " * 33_000, TOO_LARGE),
    "4,000 lists deep": (with_raw("x", "[" * 4_000 + "]" * 4_000), TOO_DEEP),
    "3,000 objects deep": (with_raw("x", '{"a":' * 3_000 + "1" + "}" * 3_000), TOO_DEEP),
}

ODD_CALLS: Final[Bodies] = {
    "an id of 100 letters": (call(messageId="é" * 100), DELIVERED),
    "a field twice": (with_raw("messageId", '"hostile"'), DELIVERED),
    "an escaped NUL": (with_raw("x", r'"\u0000"'), DELIVERED),
    "a number of 10,000 digits": (with_raw("x", "9" * 10_000), DELIVERED),
    "a number beyond doubles": (with_raw("x", "1e999"), DELIVERED),
    "a time that is a text": (call(timestamp="yesterday"), DELIVERED),
    "a time that is a number": (call(timestamp=-1), DELIVERED),
    "a time of the year 0": (call(timestamp="0000-01-01T00:00:00Z"), DELIVERED),
    "a time of the year 9999": (call(timestamp="9999-12-31T23:59:59Z"), DELIVERED),
    "a time without a zone": (call(timestamp="2026-01-01T00:00:00"), DELIVERED),
    "blanks around it": (b" \r\n" + GOOD + b"\n", DELIVERED),
    "its own write key": (call(writeKey="another", sentAt="2000-01-01T00:00:00Z"), DELIVERED),
    "integrations, context and a type twice": (with_raw("integrations", '{"All":false}'), DELIVERED),
    "everything personal": (call(properties={"x": personal_text()}), DELIVERED),
    "text from right to left": (call(event="\u202ePush Clicked"), DELIVERED),
    "a name that clears the screen": (call(event="\x1b[2J\x1b]52;c;eA==\x07"), DELIVERED),
    "500 lists deep": (with_raw("x", "[" * 500 + "]" * 500), DELIVERED),
    "3,000 keys": (with_raw("x", "{" + ",".join(f'"{each}":1' for each in range(3_000)) + "}"), DELIVERED),
}

RECORD_BODIES: Final[Mapping[str, Bodies]] = {
    "records that are no JSON": NO_JSON,
    "records that are no calls": NO_CALLS,
    "odd records": ODD_CALLS,
}
