"""How `rules explain` shows ignored ids, and the source of the time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from pipeline.cli.main import ExitCode, run
from pipeline.core.ids import EmptyReason
from pipeline.core.timestamps import TimeSource

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("logs_put_back")


def explained(
    folder: Path, capsys: pytest.CaptureFixture[str], body: dict[str, Any] | bytes, **variables: str
) -> list[str]:
    """Return the lines above the record."""
    (folder / "event.json").write_bytes(body if isinstance(body, bytes) else orjson.dumps(body))
    environment = {f"PIPELINE_{name}": value for name, value in variables.items()}
    assert run(["rules", "explain", "keep-all", str(folder / "event.json")], environment) == ExitCode.DONE
    return capsys.readouterr().out.partition("\n{")[0].splitlines()


def nested(
    *, message: dict[str, Any] | None = None, user: dict[str, Any] | None = None, **facts: Any
) -> dict[str, Any]:
    event = {"kind": "message.push.clicked", "id": "e-1", "external_id": "u-1", "subscription_id": "s-1", **facts}
    return {"event": event, "message": message or {}, "user": user or {}}


WORD, ZEROS, TEMPLATE = EmptyReason.WORD, EmptyReason.ZEROS, EmptyReason.TEMPLATE
UNREADABLE, PERSONAL, NOBODY = EmptyReason.UNREADABLE, EmptyReason.PERSONAL, EmptyReason.NOBODY


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (
            nested(external_id="[object Object]"),
            [f'event.external_id "[object Object]": {EmptyReason.OBJECT}'],
        ),
        (nested(external_id="nan", user={"external_id": "u-77"}), [f'event.external_id "nan": {WORD}']),
        (
            nested(external_id="{{ event.external_id }}", user={"external_id": "(null)"}),
            [
                f'event.external_id "{{{{ event.external_id }}}}": {TEMPLATE}',
                f'user.external_id "(null)": {WORD}',
            ],
        ),
        (nested(id="nan", message={"id": "null"}), [f'event.id "nan": {WORD}', f'message.id "null": {WORD}']),
        (nested(app_id="0.0"), [f'event.app_id "0.0": {ZEROS}']),
        (nested(subscription_id="--"), [f'event.subscription_id "--": {ZEROS}']),
        (
            nested(onesignal_id="all", user={"onesignal_id": "Nil"}),
            [f'event.onesignal_id "all": {WORD}', f'user.onesignal_id "Nil": {WORD}'],
        ),
        (
            nested(message={"template_id": '""'}),
            [rf'message.template_id "\"\"": {EmptyReason.NOTHING_LEFT}'],
        ),
        (
            nested(subscription_id="", user={"subscription": {"id": "jo@mail.example"}}),
            [f"user.subscription.id (not shown): {PERSONAL}"],
        ),
        (
            nested(external_id=12345.5, user={"external_id": "u-77"}),
            [f'event.external_id "12345.5": {UNREADABLE}'],
        ),
        ({"event_kind": "message.push.sent", "external_id": "u", "app_id": "N/A"}, [f'event.app_id "N/A": {WORD}']),
        (
            {"EVENT_KIND": "message.push.sent", "EXTERNAL_ID": "ALL", "SUBSCRIPTION_ID": "s"},
            [f'event.external_id "ALL": {WORD}'],
        ),
        (nested(user={"external_id": "null"}), [f'user.external_id "null": {WORD}']),
        (nested(external_user_id="nan"), [f'event.external_user_id "nan": {WORD}']),
        (
            {
                "event.kind": "message.push.sent",
                "event.id": "e",
                "event_id": "nan",
                "external_id": "u",
                "EXTERNAL_ID": "--",
            },
            [f'event.id "nan": {WORD}', f'event.external_id "--": {ZEROS}'],
        ),
        (nested(external_id=[7]), [f'event.external_id "a list": {UNREADABLE}']),
        (nested(external_id={"id": 7}), [f'event.external_id "an object": {UNREADABLE}']),
        (nested(external_id=1.1e20), [f'event.external_id "a large number": {UNREADABLE}']),
        (nested(external_id=" ", app_id="", message={"id": "\t"}), []),
        (nested(), []),
    ],
)
def test_each_ignored_id_is_printed_with_its_field_and_the_reason(
    body: dict[str, Any], lines: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = explained(tmp_path, capsys, body)
    ignored = [line.removeprefix("ignored   ") for line in told if line.startswith("ignored")]
    assert ignored == lines
    assert told[1 : 1 + len(lines)] == [f"ignored   {line}" for line in lines], "they come right after the kind"


def test_they_are_printed_where_the_kind_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(tmp_path, capsys, nested(kind="message.bogus", id="nan", external_id="null"))[1:4] == [
        f'ignored   event.id "nan": {WORD}',
        f'ignored   event.external_id "null": {WORD}',
        "outcome   rejected: unknown_kind; it would become a dead letter",
    ]


def test_they_are_printed_where_the_event_is_rejected_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert explained(tmp_path, capsys, nested(external_id="null", subscription_id="000")) == [
        "kind      message.push.clicked (push, clicked, engagement)",
        f'ignored   event.subscription_id "000": {ZEROS}',
        f'ignored   event.external_id "null": {WORD}',
        "outcome   rejected: no_user; it would become a dead letter",
    ]


@pytest.mark.parametrize(
    "literal",
    [
        *(b"12345.5", b"1.1e20", b"9007199254740992.0", b"1" * 101, b"1" * 400, b"7" * 400 + b".0", b"7" * 400 + b"e1"),
        *(b"1E400", b"-1e400", b'["u-1"]', b'{"id":"u-1"}'),
    ],
)
def test_an_external_id_that_cannot_be_read_is_printed(
    literal: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body = b'{"event":{"kind":"message.push.sent","external_id":%s,"subscription_id":"s-1"}}' % literal
    told = explained(tmp_path, capsys, body)
    assert told[1].startswith("ignored   event.external_id ")
    assert told[1].endswith(f": {UNREADABLE}")
    assert told[2] == "outcome   rejected: unreadable_external_id; it would become a dead letter"


def test_a_long_id_is_printed_shortly(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = explained(tmp_path, capsys, nested(app_id="${" + "x" * 500 + "}"))
    assert told[1] == f'ignored   event.app_id "${{{"x" * 57}…: {TEMPLATE}'


@pytest.mark.parametrize(
    ("times", "source"),
    [
        ({"timestamp": 1767225600, "datetime": "2026-01-01T00:00:00.120Z"}, TimeSource.DATETIME),
        ({"timestamp": 1767225600, "datetime": "2026-01-01T05:00:00"}, TimeSource.TIMESTAMP),
        (
            {"timestamp": 1767225600, "datetime": "2026-01-01T00:00:00.120"},
            TimeSource.BOTH,
        ),
        ({"timestamp": "1.76722560012E9"}, TimeSource.TIMESTAMP),
        ({"datetime": "Thu, 01 Jan 2026 00:00:00 GMT"}, TimeSource.DATETIME),
        ({"timestamp": 2024}, TimeSource.KAFKA),
        ({}, TimeSource.KAFKA),
    ],
)
def test_the_source_of_the_time_is_named(
    times: dict[str, Any], source: TimeSource, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"time      from {source}" in explained(tmp_path, capsys, nested(**times))


def test_own_words_are_at_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = nested(external_id="Guest", user={"external_id": "(1)"})
    told = explained(tmp_path, capsys, body, NOBODY_IDS="guest, 1,email")
    assert told[1:3] == [
        f'ignored   event.external_id "Guest": {NOBODY}',
        f'ignored   user.external_id "(1)": {NOBODY}',
    ]
    assert "user key  s-1" in told
    assert "user key  Guest" in explained(tmp_path, capsys, body)


def test_own_words_that_are_wrong_are_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "event.json").write_bytes(orjson.dumps(nested()))
    command = ["rules", "explain", "keep-all", str(tmp_path / "event.json")]
    assert run(command, {"PIPELINE_NOBODY_IDS": "a,,b", "PIPELINE_ANONYMOUS_DELIVERY": "no"}) == ExitCode.MISTAKE
    told = capsys.readouterr().err
    assert "PIPELINE_NOBODY_IDS" in told
    assert "PIPELINE_ANONYMOUS_DELIVERY" in told
