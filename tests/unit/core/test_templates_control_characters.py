"""Unescaped control characters in JSON strings."""

from __future__ import annotations

from typing import Final

import pytest

from pipeline.core.message_ids import content_id
from pipeline.core.outcomes import Reject, RejectReason
from tests.body_forms import JSON_FORMS, RAW, BodyForm, encoded, outcome_of, properties_of, record_of
from tests.builders import raw_event

CONTROLS: Final = [bytes([number]) for number in range(1, 32)]
json_forms = pytest.mark.parametrize("form", JSON_FORMS)


@json_forms
@pytest.mark.parametrize("raw", [b"\n", b"\r\n", b"\t", b"\n\n\n", b"".join(CONTROLS), *CONTROLS], ids=repr)
def test_a_control_character_in_a_text_is_read(raw: bytes, form: BodyForm) -> None:
    event = raw_event(message={"contents": f"Two{RAW}lines", "title": {"en": f"{RAW}Hi", "de": f"x{RAW}"}})
    found = properties_of(outcome_of(encoded(event, form, raw=raw), form))
    assert found["message_contents"] == f"Two{raw.decode()}lines"
    assert found["message_title"] == f"{raw.decode()}Hi"


@json_forms
def test_nul_is_read_and_removed(form: BodyForm) -> None:
    event = raw_event(external_id=f"u-{RAW}1", message={"contents": f"Two{RAW}lines"})
    found = outcome_of(encoded(event, form, raw=b"\0"), form)
    assert (record_of(found)["userId"], properties_of(found)["message_contents"]) == ("u-1", "Twolines")


@json_forms
def test_the_message_id_is_made_from_the_original_bytes(form: BodyForm) -> None:
    value = encoded(raw_event(id="", message={"contents": f"Two{RAW}lines"}), form, raw=b"\n")
    assert record_of(outcome_of(value, form))["messageId"] == content_id(value)


@json_forms
@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"\\ud83d\n", "\ufffd\n"),
        (b"\n\\ude00", "\n\ufffd"),
        (b"\\ud83d\\ude00\n", "\U0001f600\n"),
        (b"\\\\ud83d\n", "\\ud83d\n"),
        (b"\\\\\n", "\\\n"),
        (b'\\"\n\\"', '"\n"'),
        (b"\\ud83d", "\ufffd"),
    ],
)
def test_half_an_emoji_is_repaired_beside_it(raw: bytes, text: str, form: BodyForm) -> None:
    event = raw_event(message={"contents": f"a{RAW}b", "name": f"n{RAW}"})
    found = properties_of(outcome_of(encoded(event, form, raw=raw), form))
    assert (found["message_contents"], found["message_name"]) == (f"a{text}b", f"n{text}")


@json_forms
def test_long_integers_keep_their_digits_beside_it(form: BodyForm) -> None:
    event = raw_event(external_id=10**18 + 1, message={"contents": f"Two{RAW}lines"})
    value = encoded(event, form, raw=b"\n").replace(b"1000000000000000001", b"100000000000000000000001")
    assert record_of(outcome_of(value, form))["userId"] == "100000000000000000000001"


@json_forms
@pytest.mark.parametrize("raw", [b"\n", b"\t", b"\r"])
def test_a_control_character_in_a_key_is_read(raw: bytes, form: BodyForm) -> None:
    value = encoded(raw_event(user={"tags": {f"a{RAW}b": "c"}}), form, raw=raw)
    assert record_of(outcome_of(value, form))["userId"] == "u-1001"


@pytest.mark.parametrize(
    "value",
    [
        b'{"event":\x01{"kind":"message.push.sent","external_id":"u"}}',
        b'{"event":{"kind":"message.push.sent","external_id":"u\n}}',
        b'{"event":{"kind":"message.push.sent","name":"say "hi"\n","external_id":"u"}}',
        b'{"event":{"kind":"message.push.sent\n',
        b'{"event":{"kind":"a\\',
        b"\n",
        b'"\n',
    ],
)
def test_what_is_broken_otherwise_stays_unreadable(value: bytes) -> None:
    found = outcome_of(value, BodyForm.NESTED)
    assert isinstance(found, Reject)
    assert found.reason is RejectReason.NOT_JSON


@pytest.mark.parametrize(
    "piece", [b"\n", b"\0", b'\\"', b"\\\\", b"\\ud83d", b"\n\\ud83d", b"\t\\n", b"\xc3\xa9\n"], ids=repr
)
def test_a_megabyte_of_them_is_read(piece: bytes) -> None:
    value = b'{"event":{"kind":"message.push.sent","external_id":"u-1"},"message":{"contents":"\n%s"}}'
    found = outcome_of(value % (piece * (1_000_000 // len(piece))), BodyForm.NESTED)
    assert record_of(found)["userId"] == "u-1"


@pytest.mark.parametrize(
    "piece", [b"\n", b'"', b'\\"', b"\\", b"\\u", b'"\n', b'":', b"1" * 25 + b" ", b"{'", b"\\ud83d"], ids=repr
)
def test_a_megabyte_that_is_broken_is_refused(piece: bytes) -> None:
    filler = piece * (1_000_000 // len(piece))
    for value in (b'{"event":{"kind":"a\n' + filler, filler, b'{"a":"\n", ' + filler + b'"'):
        found = outcome_of(value, BodyForm.NESTED)
        assert isinstance(found, Reject)
        assert found.reason is RejectReason.NOT_JSON
