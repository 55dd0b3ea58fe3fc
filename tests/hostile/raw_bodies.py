"""Hostile bodies of the raw topic: values that are no event, nearly one, or events with unexpected fields."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING, Final

from tests.hostile.messages import DELIVERED, DROPPED, MEGABYTE, Expected, letter
from tests.hostile.planted import personal_text
from tests.integration.test_planted_secrets import EMAIL, EXTERNAL_ID, PHONE, PUSH_TOKEN
from tests.integration.test_poison import DROPPED as POISON_DROPPED
from tests.integration.test_poison import POISON
from tests.integration.test_poison import REJECTED as POISON_REJECTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    Bodies = Mapping[str, tuple[bytes | None, Expected]]

NOT_JSON: Final = letter("not_json")
NOT_UTF8: Final = letter("not_utf8")
NOT_AN_EVENT: Final = letter("not_an_event")
UNKNOWN_KIND: Final = letter("unknown_kind")
TOO_DEEP: Final = letter("too_deep")
UNREADABLE_ID: Final = letter("unreadable_external_id")
TOO_LARGE: Final = letter("record_too_large")
_MANY: Final = 100_000


def event(message: str = '{"id":"m","name":"a name"}', more: str = "", **changes: str) -> bytes:
    """Return a click as JSON. Each change is the raw JSON of a field of the event, `more` follows the last part."""
    fields = {
        "kind": '"message.push.clicked"',
        "id": '"hostile"',
        "timestamp": "1767225600",
        "external_id": f'"{EXTERNAL_ID}-hostile"',
        "subscription_id": f'"{EXTERNAL_ID}-subscription"',
        **changes,
    }
    facts = ",".join(f'"{name}":{value}' for name, value in fields.items() if value)
    user = json.dumps({"email": EMAIL, "subscription": {"subscription_token": PUSH_TOKEN, "id": PHONE}})
    return f'{{"event":{{{facts}}},"message":{message},"user":{user}{more}}}'.encode()


def named(name: str) -> bytes:
    """Return a click of a message of that name, which is raw JSON."""
    return event(message=f'{{"id":"m","name":{name}}}')


GOOD: Final = event()
BEFORE: Final = {
    name: (
        body,
        DROPPED if name in POISON_DROPPED else letter(POISON_REJECTED[name]) if name in POISON_REJECTED else DELIVERED,
    )
    for name, body in POISON.items()
}
"""The integration tests use these too."""

FOREIGN: Final[Bodies] = {
    "one NUL": (b"\0", NOT_JSON),
    "white space alone": (b" \r\n\t", NOT_JSON),
    "a byte order mark and an event": (b"\xef\xbb\xbf" + GOOD, DELIVERED),
    "a byte order mark alone": (b"\xef\xbb\xbf", NOT_JSON),
    "two byte order marks and an event": (b"\xef\xbb\xbf" * 2 + GOOD, NOT_JSON),
    "UTF-16, little end first": (GOOD.decode().encode("utf-16-le"), NOT_JSON),
    "UTF-16 with its mark": (GOOD.decode().encode("utf-16"), NOT_UTF8),
    "UTF-32": (GOOD.decode().encode("utf-32-be"), NOT_JSON),
    "Latin-1": (named('"café"').decode().encode("latin-1"), NOT_UTF8),
    "overlong UTF-8": (named('"*"').replace(b"*", b"\xc0\xaf"), NOT_UTF8),
    "UTF-8 beyond Unicode": (named('"*"').replace(b"*", b"\xf4\x90\x80\x80"), NOT_UTF8),
    "gzip": (gzip.compress(GOOD, mtime=0), NOT_UTF8),
    "zlib": (zlib.compress(GOOD), NOT_UTF8),
    "the frame of a schema registry": (b"\0\0\0\0\x01" + GOOD, NOT_JSON),
    "the frame of a schema registry, and nothing": (b"\0\0\0\0\x01", NOT_JSON),
    "the frame of Avro's single objects": (b"\xc3\x01" + bytes(8) + GOOD, NOT_UTF8),
    "an Avro file": (b"Obj\x01" + GOOD, NOT_JSON),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(100), NOT_UTF8),
    "a Java object": (b"\xac\xed\x00\x05sr" + GOOD, NOT_UTF8),
    "MessagePack": (b"\x81\xa5event\x81\xa4kind\xa1x", NOT_UTF8),
    "a form": (b"event=x&email=" + EMAIL.encode(), NOT_JSON),
    "XML with an entity": (b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>', NOT_JSON),
    "YAML with an object": (b"!!python/object/apply:os.system ['true']", NOT_JSON),
}

NEARLY: Final[Bodies] = {
    "cut within a key": (GOOD[:5], NOT_JSON),
    "cut within an address": (GOOD[: GOOD.index(EMAIL.encode()) + 9], NOT_JSON),
    "cut before its last brace": (GOOD[:-1], NOT_JSON),
    "a comma too many": (GOOD[:-1] + b",}", NOT_JSON),
    "two documents": (GOOD + GOOD, NOT_JSON),
    "two lines": (GOOD + b"\n" + GOOD, NOT_JSON),
    "something behind its end": (GOOD + b"x", NOT_JSON),
    "single quotes": (GOOD.replace(b'"', b"'"), NOT_JSON),
    "keys without quotes": (b"{event:{kind:1}}", NOT_JSON),
    "a comment": (GOOD[:-1] + b"/* none */}", NOT_JSON),
    "a quote that is not escaped": (named('"a "quoted" name"'), NOT_JSON),
    "a line break in a text": (named('"a\nname"'), DELIVERED),
    "a NUL in a text": (named('"a\0name"'), DELIVERED),
    "an escaped NUL": (named(r'"a\u0000name"'), DELIVERED),
    "half an escape": (named(r'"a\u12"'), NOT_JSON),
    "an escape that is none": (named(r'"a\x41"'), NOT_JSON),
    "a leading zero": (event(timestamp="01767225600"), NOT_JSON),
    "a plus": (event(timestamp="+1767225600"), NOT_JSON),
    "hexadecimal": (event(timestamp="0x10"), NOT_JSON),
    "Infinity": (event(timestamp="Infinity"), NOT_JSON),
    "NaN in an unknown field": (event(more=',"score":NaN'), NOT_JSON),
    "a number of a megabyte": (event(more=',"score":' + "1" * MEGABYTE), DELIVERED),
    "an exponent of 300 digits": (event(more=',"score":1e' + "9" * 300), DELIVERED),
}

OTHER_JSON: Final[Bodies] = {
    "null": (b"null", NOT_AN_EVENT),
    "true": (b"true", NOT_AN_EVENT),
    "a number": (b"0", NOT_AN_EVENT),
    "a text": (b'"event"', NOT_AN_EVENT),
    "an empty list": (b"[]", NOT_AN_EVENT),
    "a list of events": (b"[" + GOOD + b"]", NOT_AN_EVENT),
    "an empty object": (b"{}", NOT_AN_EVENT),
    "an event that is null": (b'{"event":null}', NOT_AN_EVENT),
    "an event that is a list": (b'{"event":[]}', NOT_AN_EVENT),
    "an event that is empty": (b'{"event":{}}', NOT_AN_EVENT),
    "an event as one text": (json.dumps({"event": GOOD.decode()}).encode(), NOT_AN_EVENT),
    "an event within an event": (b'{"event":' + GOOD + b"}", NOT_AN_EVENT),
    "a hundred thousand keys": (event(more="," + ",".join(f'"k{each}":1' for each in range(_MANY // 2))), DELIVERED),
    "a key of half a megabyte": (event(more=f',"{"k" * (MEGABYTE // 2)}":1'), DELIVERED),
    "the same key, ten thousand times": (event(more=',"k":1' * (_MANY // 10)), DELIVERED),
    "an empty key": (event(more=',"":1'), DELIVERED),
    "a prototype": (event(more=',"__proto__":{"kind":"x"},"constructor":1'), DELIVERED),
    "2,000 nested lists in an unknown field": (event(more=',"k":' + "[" * 2_000 + "]" * 2_000), TOO_DEEP),
    "a megabyte of blanks": (event(more=" " * MEGABYTE), DELIVERED),
}

KINDS: Final[Bodies] = {
    "an unknown kind": (event(kind='"message.pigeon.sent"'), UNKNOWN_KIND),
    "a kind with an address": (event(kind=f'"message.{EMAIL}.sent"'), UNKNOWN_KIND),
    "a kind with a line break": (event(kind=r'"message.push.clicked\nforged: yes"'), UNKNOWN_KIND),
    "a kind that clears the screen": (event(kind=r'"\u001b[2J\u001b]52;c;eA==\u0007"'), UNKNOWN_KIND),
    "a kind of a hundred thousand letters": (event(kind=json.dumps("x" * _MANY)), UNKNOWN_KIND),
    "a kind from right to left": (event(kind='"\u202emessage.push.clicked"'), UNKNOWN_KIND),
    "a kind that is a number": (event(kind="5"), letter("not_an_event", "unknown_kind")),
    "a kind that is a list": (event(kind='["message.push.clicked"]'), NOT_AN_EVENT),
    "a kind that is null": (event(kind="null"), NOT_AN_EVENT),
    "a kind that is blank": (event(kind='"  "'), letter("not_an_event", "unknown_kind")),
    "a kind in look-alike letters": (event(kind='"message.push.\u0441licked"'), UNKNOWN_KIND),
}

IDS: Final[Bodies] = {
    "an id that is null": (event(external_id="null"), DELIVERED),
    "an id that is the word null": (event(external_id='"null"'), DELIVERED),
    "an id that is the word NaN": (event(external_id='"NaN"'), DELIVERED),
    "an id that was not rendered": (event(external_id='"{{ user.external_id }}"'), DELIVERED),
    "an id that is [object Object]": (event(external_id='"[object Object]"'), DELIVERED),
    "an id of zeros": (event(external_id='"0000-0000"'), DELIVERED),
    "an id that is true": (event(external_id="true"), DELIVERED),
    "an id that is a list": (event(external_id='["a"]'), UNREADABLE_ID),
    "an id that is an object": (event(external_id='{"a":1}'), UNREADABLE_ID),
    "an id that is a fraction": (event(external_id="12345.5"), UNREADABLE_ID),
    "an id with an exponent": (event(external_id="1.1e20"), UNREADABLE_ID),
    "an id of 101 digits": (event(external_id="7" * 101), UNREADABLE_ID),
    "an id of 100 digits": (event(external_id="7" * 100), DELIVERED),
    "an id of 40,000 letters": (event(external_id=json.dumps("x" * 40_000)), TOO_LARGE),
    "an id with a NUL": (event(external_id=rf'"{EXTERNAL_ID}\u0000"'), DELIVERED),
    "an id of a NUL alone": (event(external_id=r'"\u0000"'), DELIVERED),
    "an invisible id": (event(external_id='"\u200b\u200d\ufeff"'), DELIVERED),
    "an id from right to left": (event(external_id='"\u202eu"'), DELIVERED),
    "an id with a line break": (event(external_id=rf'"{EXTERNAL_ID}\nlevel=error"'), DELIVERED),
    "an id with a thousand accents": (event(external_id='"a' + "\u0301" * 1_000 + '"'), DELIVERED),
    "no id at all": (event(external_id="null", subscription_id='"{{ id }}"'), letter("no_user")),
    "two ids that differ": (event(more=',"external_user_id":"another"'), DELIVERED),
    "an event id of 500 letters": (event(id=json.dumps("i" * 500)), DELIVERED),
    "an event id that is a number": (event(id=str(2**80)), DELIVERED),
    "an event id that is a list": (event(id="[1]"), DELIVERED),
    "an event id that is blank": (event(id='" "'), DELIVERED),
    "an event id with a NUL": (event(id=r'"hostile\u0000"'), DELIVERED),
    "an event id that is an address": (event(id=f'"{EMAIL}"'), DELIVERED),
}

TIMES: Final[Bodies] = {
    "a time that is negative": (event(timestamp="-1"), DELIVERED),
    "a time before 1970": (event(timestamp='"1969-12-31T23:59:59Z"'), DELIVERED),
    "the time 0": (event(timestamp="0"), DELIVERED),
    "a time of the year 12,000": (event(timestamp="316537891200"), DELIVERED),
    "the largest number of 64 bits as a time": (event(timestamp=str(2**63 - 1)), DELIVERED),
    "a time of the year 1": (event(datetime='"0001-01-01T00:00:00+14:00"', timestamp=""), DELIVERED),
    "a time with a zone of 99 hours": (event(datetime='"2026-01-01T00:00:00+99:99"', timestamp=""), DELIVERED),
    "a leap second": (event(datetime='"2016-12-31T23:59:60Z"', timestamp=""), DELIVERED),
    "yesterday": (event(timestamp='"yesterday"'), DELIVERED),
    "a time that is a list": (event(timestamp="[1767225600]"), DELIVERED),
    "a time that is an object": (event(timestamp='{"$date":1767225600}'), DELIVERED),
    "a time of a thousand digits as text": (event(timestamp=json.dumps("9" * 1_000)), DELIVERED),
    "a time in Arabic digits": (event(timestamp='"١٧٦٧٢٢٥٦٠٠"'), DELIVERED),
    "no time at all": (event(timestamp=""), DELIVERED),
}

CONTENTS: Final[Bodies] = {
    "a name from right to left": (named('"\u202ea\u2066name\u2069"'), DELIVERED),
    "a name that is a list": (named('["a", {"b": [null]}]'), DELIVERED),
    "a name that is a number": (named(str(10**40)), DELIVERED),
    "a name that clears the screen": (named(r'"\u001b[2J\u001b]0;forged\u0007"'), DELIVERED),
    "a name in Unicode's last letter": (named('"\U0010ffff\ufffe"'), DELIVERED),
    "a name with everything personal": (named(json.dumps(personal_text("name"))), DELIVERED),
    "a message that is a list": (event(message="[]"), DELIVERED),
    "a message that is a text": (event(message='"m"'), DELIVERED),
    "a title in 5,000 languages": (
        event(message=json.dumps({"title": {f"l{each}": "t" for each in range(5_000)}})),
        DELIVERED,
    ),
    "a link that is code": (event(message='{"id":"m","url":"javascript:alert(1)"}'), DELIVERED),
    "a link with a password": (
        event(message=json.dumps({"id": "m", "url": f"https://{PUSH_TOKEN}:{PUSH_TOKEN}@shop.example/?mail={EMAIL}"})),
        DELIVERED,
    ),
    "a link that is no link": (event(message='{"id":"m","url":"http://[::1"}'), DELIVERED),
    "tags that are a list": (event(more=',"user":{"tags":["plan"]}'), DELIVERED),
    "tags as a text that breaks off": (event(more=r""","user":{"tags":"{'plan':'pro"}"""), DELIVERED),
    "ten thousand tags": (
        event(more=',"user":' + json.dumps({"tags": {f"t{each}": each for each in range(10_000)}})),
        DELIVERED,
    ),
    "a user that is a list": (event(more=',"user":[1]'), DELIVERED),
    "800 KB in an unknown field": (event(more=',"z":"' + "z" * 800_000 + '"'), DELIVERED),
}

RAW_BODIES: Final[Mapping[str, Bodies]] = {
    "poisoned bodies": BEFORE,
    "foreign formats": FOREIGN,
    "broken JSON": NEARLY,
    "other JSON": OTHER_JSON,
    "kinds": KINDS,
    "ids": IDS,
    "times in bodies": TIMES,
    "contents": CONTENTS,
}
