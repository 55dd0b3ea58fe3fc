from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.cli.main import ExitCode, run
from pipeline.core.avro.contracts import RAW_EVENT
from tests.fakes.schema_registry import Answer, FakeRegistry, error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SUBJECT = "onesignal.events-value"
VERSIONS = f"GET /subjects/{SUBJECT}/versions"
SAID = f"raw-event: {SUBJECT}: "

pytestmark = pytest.mark.usefixtures("logs_put_back")


@pytest.fixture
async def fake() -> AsyncIterator[FakeRegistry]:
    """A registry that has our contract registered, and no other version."""
    fake = FakeRegistry()
    await fake.start()
    ours = {"subject": SUBJECT, "version": 1, "id": 7, "schema": RAW_EVENT.text}
    fake.answers = {
        f"POST /subjects/{SUBJECT}": Answer(200, ours),
        VERSIONS: Answer(200, [1]),
        f"{VERSIONS}/1": Answer(200, ours),
    }
    yield fake
    await fake.stop()


def event_with(*fields: dict[str, Any]) -> str:
    event = {"type": "record", "name": "Event", "fields": [{"name": "kind", "type": "string"}, *fields]}
    return json.dumps({"type": "record", "name": "RawEvent", "fields": [{"name": "event", "type": event}]})


def add(fake: FakeRegistry, number: int, schema: str, **more: Any) -> None:
    fake.answers[VERSIONS] = Answer(200, [*fake.answers[VERSIONS].body, number])
    body = {"subject": SUBJECT, "version": number, "id": number, "schema": schema, **more}
    fake.answers[f"{VERSIONS}/{number}"] = Answer(200, body)


async def checked(
    fake: FakeRegistry, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, list[str], str]:
    environment = {"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "PIPELINE_SCHEMA_REGISTRY_URL": fake.url}
    code = await asyncio.to_thread(run, ["schemas", *(arguments or ("check", "raw-event"))], environment)
    told = capsys.readouterr()
    return code, told.out.splitlines(), told.err


async def test_versions_that_can_all_be_read_are_counted(
    fake: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    add(fake, 2, event_with({"name": "one_more", "type": "int"}))
    assert await checked(fake, capsys) == (
        ExitCode.DONE,
        [f"{SAID}registered, id 7", f"{SAID}the processor can read 2 of 2 versions"],
        "",
    )


async def test_versions_that_cannot_be_read_are_listed_with_the_reason_and_fail(
    fake: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    add(fake, 2, '{"type":"record","name":"Order","fields":[]}')
    add(fake, 3, event_with({"name": "id", "type": ["null", "string", "int"]}))
    add(fake, 4, "{}", schemaType="JSON")
    add(fake, 5, "message A { string it = 1; }", schemaType="PROTOBUF")
    code, told, errors = await checked(fake, capsys)
    assert (code, errors) == (ExitCode.FAILED, "")
    assert told == [
        f"{SAID}registered, id 7",
        f"{SAID}version 2 cannot be read. Decoder: the schema is named Order, but the record RawEvent is expected. "
        "Avro's checker: name mismatch, reader field missing default value (event, expected: Order) at "
        "/fields/0, /name.",
        f"{SAID}version 3: decoder and checker disagree. Decoder: it can be read. Avro's checker: missing union branch "
        "(reader union lacking writer type: INT) at /fields/0/type/fields/1/type/2.",
        f"{SAID}version 4 cannot be read: it is not an Avro schema",
        f"{SAID}version 5 cannot be read: it is not an Avro schema",
        f"{SAID}the processor can read 1 of 5 versions",
    ]


async def test_soft_deleted_versions_are_listed_and_do_not_fail(
    fake: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    add(fake, 2, event_with({"name": "id", "type": "int"}))
    fake.answers[f"{VERSIONS}?deleted=true"] = fake.answers[VERSIONS]
    fake.answers[VERSIONS] = Answer(200, [1])
    code, told, _ = await checked(fake, capsys)
    assert code == ExitCode.DONE
    assert told[1].startswith(
        f"{SAID}version 2 (soft-deleted, not counted) cannot be read. Decoder: event.id is an int"
    )
    assert told[2:] == [f"{SAID}the processor can read 1 of 1 versions; 1 soft-deleted, not counted"]


async def test_a_subject_that_is_not_there_yet_is_said_and_does_not_fail(
    fake: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answers = {
        f"POST /subjects/{SUBJECT}": error(404, 40401),
        f"POST /compatibility/subjects/{SUBJECT}/versions": error(404, 40401),
        VERSIONS: error(404, 40401),
    }
    code, told, _ = await checked(fake, capsys)
    assert (code, told[1:]) == (ExitCode.DONE, [f"{SAID}no version is registered"])


async def test_a_contract_that_would_be_refused_still_fails_where_every_version_can_be_read(
    fake: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answers[f"POST /subjects/{SUBJECT}"] = error(404, 40403)
    fake.answers[f"POST /compatibility/subjects/{SUBJECT}/versions"] = Answer(200, {"is_compatible": False})
    code, told, _ = await checked(fake, capsys)
    assert (code, told[1]) == (ExitCode.FAILED, f"{SAID}the processor can read 1 of 1 versions")


async def test_versions_are_listed_where_the_registry_cannot_say_whether_the_contract_fits_their_kind(
    fake: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answers[f"POST /subjects/{SUBJECT}"] = error(422, 42201)
    add(fake, 2, "{}", schemaType="JSON")
    code, told, errors = await checked(fake, capsys)
    assert (code, told) == (
        ExitCode.FAILED,
        [
            f"{SAID}version 2 cannot be read: it is not an Avro schema",
            f"{SAID}the processor can read 1 of 2 versions",
        ],
    )
    assert "answers 422" in errors


async def test_a_version_that_the_registry_does_not_give_ends_the_check_after_those_before_it(
    fake: FakeRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    add(fake, 2, event_with({"name": "id", "type": "int"}))
    add(fake, 3, "")
    fake.answers[f"{VERSIONS}/3"] = error(500, 50001)
    code, told, errors = await checked(fake, capsys)
    assert (code, len(told)) == (ExitCode.FAILED, 2)
    assert "version 2 cannot be read" in told[1]
    assert errors.startswith(f"version 3 of {SUBJECT}: the schema registry at http://localhost")


async def test_what_a_registry_says_steers_no_terminal(fake: FakeRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    add(fake, 2, '{"type":"record","name":"\\u001b[2J\\nfine","fields":[]}')
    code, told, _ = await checked(fake, capsys)
    assert (code, len(told)) == (ExitCode.FAILED, 3)
    assert all(each.isprintable() for each in told)


@pytest.mark.parametrize("arguments", [("check", "dead-letter"), ("register", "raw-event"), ("register", "--dry-run")])
async def test_versions_are_judged_only_where_the_raw_event_is_checked(
    fake: FakeRegistry, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    for subject in ("onesignal.dead-letters-value", "segment.records-value"):
        fake.answers[f"POST /subjects/{subject}"] = Answer(200, {"subject": subject, "version": 1, "id": 8})
    add(fake, 2, event_with({"name": "id", "type": "int"}))
    code, told, _ = await checked(fake, capsys, *arguments)
    assert (code, len(told)) == (ExitCode.DONE, 1)


def test_commands_start_without_the_avro_package() -> None:
    code = "import pipeline.cli.main, pipeline.bootstrap.registry, sys; sys.exit('avro' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
