from __future__ import annotations

import asyncio
import datetime as dt
import ssl
import sys
from contextlib import asynccontextmanager, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import pytest
import trustme

from pipeline.core.avro.framing import SINGLE_OBJECT_MARK, fingerprint_of, registry_prefix
from pipeline.kafka import schema_registry
from pipeline.kafka.schema_registry import (
    Absence,
    IncompatibleSchemaError,
    Registered,
    RegistryFaultError,
    RegistryOptions,
    SchemaRegistry,
    Version,
)
from pipeline.settings.files import FileError
from pipeline.settings.mistakes import SettingsError
from tests.fakes.schema_registry import Answer, FakeRegistry, error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

SCHEMA = '{"type":"record","name":"A","fields":[{"name":"x","type":"string"}]}'
OTHER = '{"type":"record","name":"A","fields":[]}'
SEVEN = registry_prefix(7)
BY_ID = "GET /schemas/ids/7"


@pytest.fixture
async def fake() -> AsyncIterator[FakeRegistry]:
    fake = FakeRegistry()
    await fake.start()
    yield fake
    await fake.stop()


@asynccontextmanager
async def client(fake: FakeRegistry, **options: Any) -> AsyncIterator[SchemaRegistry]:
    plain = {"url": fake.url, "username": None, "password": None, "ca_file": None, "raw_subject": "raw-value"}
    registry = SchemaRegistry(RegistryOptions(**{**plain, **options}))
    try:
        yield registry
    finally:
        await registry.close()


@asynccontextmanager
async def answering(answer: Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[FakeRegistry]:
    """A registry with the test's answer to each request."""
    serving = set[asyncio.Task[Any] | None]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.current_task())
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await answer(await reader.readuntil(b"\r\n\r\n"), writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield FakeRegistry(port=server.sockets[0].getsockname()[1])
    await asyncio.gather(*filter(None, serving))


async def found(fake: FakeRegistry, prefix: bytes = SEVEN, **options: Any) -> object:
    async with client(fake, **options) as registry:
        return await registry.find(prefix)


async def fault(fake: FakeRegistry, **options: Any) -> str:
    with pytest.raises(RegistryFaultError) as raised:
        await found(fake, **options)
    return str(raised.value)


async def test_a_schema_is_found_by_its_id(fake: FakeRegistry) -> None:
    fake.answers[BY_ID] = Answer(200, {"schema": SCHEMA})
    assert await found(fake) == SCHEMA


async def test_only_the_registrys_own_word_makes_an_id_unknown(fake: FakeRegistry) -> None:
    fake.answers[BY_ID] = error(404, 40403)
    assert await found(fake) is Absence.UNKNOWN
    fake.answers.clear()
    assert "answers 404" in await fault(fake)
    assert "check the path in PIPELINE_SCHEMA_REGISTRY_URL" in await fault(fake)


@pytest.mark.parametrize("kind", ["JSON", "PROTOBUF"])
async def test_a_schema_of_another_kind_is_no_avro_schema(fake: FakeRegistry, kind: str) -> None:
    fake.answers[BY_ID] = Answer(200, {"schema": "{}", "schemaType": kind})
    assert await found(fake) is Absence.NOT_AVRO


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (error(500, 50001), "answers 500 (told so): see its log"),
        (error(503, 503), "answers 503"),
        (error(429, 429), "answers 429"),
        (Answer(502, "<html>"), "answers 502, which is not an answer of a schema registry: see its log"),
        (Answer(404, "<html>"), "answers 404, which is not an answer of a schema registry: check the path in"),
        (
            Answer(404, {"error": "Not Found"}),
            "answers 404, which is not an answer of a schema registry: check the path in",
        ),
        (error(401, 401), "check PIPELINE_SCHEMA_REGISTRY_USERNAME and PIPELINE_SCHEMA_REGISTRY_PASSWORD"),
        (error(403, 403), "answers 403"),
        (Answer(200, "<html>a login page</html>"), "is not understood"),
        (Answer(200, {"no": "schema"}), "is not understood"),
        (Answer(200, {"schema": SCHEMA}, after_seconds=5), "does not answer"),
    ],
)
async def test_every_other_answer_is_a_fault_that_says_what_to_check(
    fake: FakeRegistry, answer: Answer, told: str
) -> None:
    fake.answers[BY_ID] = answer
    assert told in await fault(fake, request_seconds=0.5)


async def test_a_registry_that_is_not_there_is_a_fault(fake: FakeRegistry) -> None:
    await fake.stop()
    assert "does not answer" in await fault(fake)


async def test_user_name_and_password_are_sent_and_never_shown(fake: FakeRegistry) -> None:
    fake.answers[BY_ID] = error(401, 401)
    told = await fault(fake, username="user", password="p:a ss")
    assert "p:a ss" not in told
    assert fake.credentials == ["Basic dXNlcjpwOmEgc3M="]


async def test_a_single_object_is_looked_for_in_the_versions_of_the_raw_subject(fake: FakeRegistry) -> None:
    fake.answers["GET /subjects/raw-value/versions"] = Answer(200, [1, 2])
    for version, schema in ((1, SCHEMA), (2, OTHER)):
        body = {"subject": "raw-value", "version": version, "id": version, "schema": schema}
        fake.answers[f"GET /subjects/raw-value/versions/{version}"] = Answer(200, body)
    assert await found(fake, SINGLE_OBJECT_MARK + fingerprint_of(SCHEMA)) == SCHEMA
    assert await found(fake, SINGLE_OBJECT_MARK + bytes(8)) is Absence.UNKNOWN
    fake.answers["GET /subjects/raw-value/versions"] = error(404, 40401)
    assert await found(fake, SINGLE_OBJECT_MARK + fingerprint_of(SCHEMA)) is Absence.UNKNOWN
    fake.answers["GET /subjects/raw-value/versions"] = error(500, 50001)
    with pytest.raises(RegistryFaultError):
        await found(fake, SINGLE_OBJECT_MARK + fingerprint_of(SCHEMA))


async def test_a_version_that_cannot_be_read_hides_no_other(fake: FakeRegistry) -> None:
    fake.answers["GET /subjects/raw-value/versions"] = Answer(200, [1, 2, 3])
    twice = '{"type":"enum","name":"E","symbols":["A","A"]}'
    for version, schema in ((1, SCHEMA), (2, twice), (3, "no JSON")):
        body = {"subject": "raw-value", "version": version, "id": version, "schema": schema}
        fake.answers[f"GET /subjects/raw-value/versions/{version}"] = Answer(200, body)
    assert await found(fake, SINGLE_OBJECT_MARK + fingerprint_of(SCHEMA)) == SCHEMA


async def test_what_a_schema_refers_to_is_put_in_its_place_once(fake: FakeRegistry) -> None:
    inner = {"type": "record", "name": "Inner", "fields": [{"name": "doc", "type": "string"}]}
    fields: list[dict[str, Any]] = [
        {"name": "one", "type": ["null", "Inner"], "doc": "Inner"},
        {"name": "two", "type": {"type": "map", "values": "Inner"}},
    ]
    outer = {"type": "record", "name": "Outer", "fields": fields}
    references = [{"name": "Inner", "subject": "inner", "version": 3}]
    fake.answers[BY_ID] = Answer(200, {"schema": orjson.dumps(outer).decode(), "references": references})
    body = {"subject": "inner", "version": 3, "id": 1, "schema": orjson.dumps(inner).decode()}
    fake.answers["GET /subjects/inner/versions/3"] = Answer(200, body)
    text = await found(fake)
    assert isinstance(text, str)
    fields[0]["type"] = ["null", inner]
    assert orjson.loads(text) == {**outer, "fields": fields}
    fake.answers["GET /subjects/inner/versions/3"] = Answer(200, {**body, "schemaType": "JSON"})
    assert await found(fake) is Absence.NOT_AVRO


async def test_tls_is_proved_with_the_authority_of_the_setting(tmp_path: Path) -> None:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(server)
    fake = FakeRegistry({BY_ID: Answer(200, {"schema": SCHEMA})})
    await fake.start(server)
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    assert await found(fake, ca_file=path) == SCHEMA
    assert "is not trusted" in await fault(fake)
    path.write_text("no certificate", encoding="utf-8")
    assert "PIPELINE_SCHEMA_REGISTRY_CA_FILE" in await fault(fake, ca_file=path)
    await fake.stop()


@pytest.mark.parametrize(
    ("name", "end", "told"),
    [
        ("localhost", dt.timedelta(days=-1), "has expired, by the clock of this machine: check the clock"),
        ("another.test", dt.timedelta(days=1), "for another host name: check the name in PIPELINE_SCHEMA_REGISTRY_URL"),
        (None, dt.timedelta(days=1), "not trusted: check PIPELINE_SCHEMA_REGISTRY_CA_FILE"),
    ],
)
async def test_a_certificate_that_cannot_be_trusted_is_told_with_its_cause(
    name: str | None, end: dt.timedelta, told: str, tmp_path: Path
) -> None:
    authority, now = trustme.CA(), dt.datetime.now(dt.UTC)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    signing = trustme.CA() if name is None else authority
    certificate = signing.issue_cert(name or "localhost", not_before=now - dt.timedelta(days=9), not_after=now + end)
    certificate.configure_cert(server)
    fake = FakeRegistry({BY_ID: Answer(200, {"schema": SCHEMA})})
    await fake.start(server)
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    assert told in await fault(fake, ca_file=path)
    await fake.stop()


async def test_a_system_without_authorities_leaves_them_to_the_client(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = SimpleNamespace(cafile=None, capath=None)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: nowhere)
    fake.answers[BY_ID] = Answer(200, {"schema": SCHEMA})
    assert await found(fake) == SCHEMA


async def test_an_answer_that_nobody_asked_for_is_not_the_schema_of_another_id() -> None:
    wanted = {b"/schemas/ids/7": SCHEMA, b"/schemas/ids/8": OTHER}

    async def answer_twice(request: bytes, writer: asyncio.StreamWriter) -> None:
        body = orjson.dumps({"schema": wanted[request.split()[1]]})
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        writer.write(2 * (head + body))

    async with answering(answer_twice) as fake, client(fake) as registry:
        assert await registry.find(SEVEN) == SCHEMA
        assert await registry.find(registry_prefix(8)) == OTHER
        assert await registry.find(SEVEN) == SCHEMA


async def test_an_answer_that_comes_byte_by_byte_for_ever_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema_registry, "FIND_SECONDS", 0.3)

    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\n \r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with answering(lambda _request, writer: drip(writer)) as fake:
        told = await fault(fake)
    assert "does not answer (TimeoutError): check PIPELINE_SCHEMA_REGISTRY_URL" in told


async def test_a_contract_is_registered_or_not(fake: FakeRegistry) -> None:
    body = {"subject": "s", "id": 4, "version": 2, "schema": SCHEMA}
    async with client(fake) as registry:
        fake.answers["POST /subjects/s"] = error(404, 40401)
        assert await registry.registered("s", SCHEMA) is None
        fake.answers["POST /subjects/s"] = error(404, 40403)
        assert await registry.registered("s", SCHEMA) is None
        fake.answers["POST /subjects/s"] = Answer(200, body)
        assert await registry.registered("s", SCHEMA) == Registered(schema_id=4, version=2)
        fake.answers["POST /subjects/t"] = error(500, 50001)
        with pytest.raises(RegistryFaultError):
            await registry.registered("t", SCHEMA)


async def test_compatibility_is_the_registrys_to_judge(fake: FakeRegistry) -> None:
    path = "POST /compatibility/subjects/s/versions"
    async with client(fake) as registry:
        fake.answers[path] = Answer(200, {"is_compatible": True})
        assert await registry.compatible("s", SCHEMA)
        fake.answers[path] = Answer(200, {"is_compatible": False})
        assert not await registry.compatible("s", SCHEMA)
        fake.answers[path] = error(404, 40401)
        assert await registry.compatible("s", SCHEMA)
        fake.answers[path] = error(500, 50001)
        with pytest.raises(RegistryFaultError):
            await registry.compatible("s", SCHEMA)


async def test_a_conflict_is_told_in_the_registrys_words(fake: FakeRegistry) -> None:
    async with client(fake) as registry:
        fake.answers["POST /subjects/s/versions"] = Answer(200, {"id": 4})
        assert await registry.register("s", SCHEMA) == 4
        fake.answers["POST /subjects/t/versions"] = error(409, 409, "READER_FIELD_MISSING_DEFAULT_VALUE")
        with pytest.raises(IncompatibleSchemaError, match="READER_FIELD_MISSING_DEFAULT_VALUE"):
            await registry.register("t", SCHEMA)
        fake.answers["POST /subjects/u/versions"] = error(503, 503)
        with pytest.raises(RegistryFaultError):
            await registry.register("u", SCHEMA)


async def test_a_file_of_authorities_that_does_not_answer_is_told_as_such(
    fake: FakeRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "ca.pem"

    def hang(*_: object) -> None:
        raise FileError("it did not answer within 5 s")

    monkeypatch.setattr("pipeline.kafka.schema_registry.promptly", hang)
    told = await fault(fake, ca_file=path)
    assert told == f"PIPELINE_SCHEMA_REGISTRY_CA_FILE is `{path}`, but it did not answer within 5 s."


# ---- the raw topic's versions

VERSIONS = "GET /subjects/raw-value/versions"
BOTH = f"{VERSIONS}?deleted=true"


def holds(fake: FakeRegistry, schemas: dict[int, dict[str, Any]]) -> None:
    """Define the versions of the raw topic's subject; each is found only by a request that includes deleted ones."""
    fake.answers[VERSIONS] = Answer(200, list(schemas))
    for number, schema in schemas.items():
        body = {"subject": "raw-value", "version": number, "id": number, **schema}
        fake.answers[f"{VERSIONS}/{number}?deleted=true"] = Answer(200, body)


async def listed(fake: FakeRegistry) -> list[Version]:
    async with client(fake) as registry:
        return [version async for version in registry.versions()]


async def unlisted(fake: FakeRegistry) -> str:
    with pytest.raises(RegistryFaultError) as raised:
        await listed(fake)
    return str(raised.value)


async def test_every_version_is_listed_with_what_it_holds(fake: FakeRegistry) -> None:
    holds(fake, {10: {"schema": OTHER}, 2: {"schema": SCHEMA}, 3: {"schema": "{}", "schemaType": "JSON"}})
    assert await listed(fake) == [
        Version(number=2, deleted=False, schema=SCHEMA),
        Version(number=3, deleted=False, schema=Absence.NOT_AVRO),
        Version(number=10, deleted=False, schema=OTHER),
    ]


async def test_soft_deleted_versions_are_marked(fake: FakeRegistry) -> None:
    holds(fake, {1: {"schema": SCHEMA}, 2: {"schema": OTHER}})
    fake.answers[VERSIONS] = Answer(200, [2])
    fake.answers[BOTH] = Answer(200, [1, 2])
    assert [(version.number, version.deleted) for version in await listed(fake)] == [(1, True), (2, False)]


async def test_a_subject_of_which_all_is_soft_deleted_has_those_versions(fake: FakeRegistry) -> None:
    holds(fake, {1: {"schema": SCHEMA}})
    fake.answers[VERSIONS] = error(404, 40401)
    fake.answers[BOTH] = Answer(200, [1])
    assert await listed(fake) == [Version(number=1, deleted=True, schema=SCHEMA)]


async def test_a_subject_that_is_not_there_has_no_versions(fake: FakeRegistry) -> None:
    fake.answers[VERSIONS] = error(404, 40401)
    assert await listed(fake) == []


async def test_a_version_is_listed_with_what_it_refers_to(fake: FakeRegistry) -> None:
    refers = {"schema": '["A"]', "references": [{"name": "A", "subject": "a", "version": 4}]}
    holds(fake, {1: refers})
    fake.answers["GET /subjects/a/versions/4"] = Answer(200, {"subject": "a", "version": 4, "id": 9, "schema": SCHEMA})
    assert await listed(fake) == [Version(number=1, deleted=False, schema=f"[{SCHEMA}]")]
    del fake.answers["GET /subjects/a/versions/4"]
    fake.answers["GET /subjects/a/versions/4"] = error(404, 40402)
    assert await listed(fake) == [Version(number=1, deleted=False, schema=Absence.UNKNOWN)]


async def test_a_version_that_was_deleted_meanwhile_is_unknown(fake: FakeRegistry) -> None:
    fake.answers = {VERSIONS: Answer(200, [1]), f"{VERSIONS}/1": error(404, 40402)}
    assert await listed(fake) == [Version(number=1, deleted=False, schema=Absence.UNKNOWN)]


@pytest.mark.parametrize("answer", [["1"], [True], {"1": 1}, [None], 5, "<html>"])
async def test_versions_that_are_no_numbers_are_a_fault_of_the_registry(fake: FakeRegistry, answer: Any) -> None:
    fake.answers[VERSIONS] = Answer(200, answer)
    assert "sends an answer that is not understood" in await unlisted(fake)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (Answer(200, {"version": 1}), "sends an answer that is not understood"),
        (Answer(200, {"subject": "raw-value", "version": 1, "id": 1, "schema": {"a": []}}), "is not understood"),
        (error(500, 50001), "answers 500"),
        (Answer(404, "<html>"), "answers 404, which is not an answer of a schema registry"),
    ],
)
async def test_a_version_that_cannot_be_had_is_named_in_the_fault(
    fake: FakeRegistry, answer: Answer, told: str
) -> None:
    fake.answers = {VERSIONS: Answer(200, [1]), f"{VERSIONS}/1": answer}
    message = await unlisted(fake)
    assert message.startswith("version 1 of raw-value: the schema registry at http")
    assert told in message


async def test_a_registry_that_lists_no_versions_is_a_fault(fake: FakeRegistry) -> None:
    fake.answers[VERSIONS] = error(503, 50301)
    assert "answers 503" in await unlisted(fake)


async def test_schemas_that_refer_to_one_another_in_a_circle_are_given_up(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema_registry, "FIND_SECONDS", 0.5)
    refers = {"schema": "[]", "references": [{"name": "A", "subject": "raw-value", "version": 1}]}
    holds(fake, {1: refers})
    fake.answers[f"{VERSIONS}/1"] = fake.answers[f"{VERSIONS}/1?deleted=true"]
    assert "version 1 of raw-value" in await unlisted(fake)


async def test_a_client_that_cannot_be_imported_names_its_extra(
    fake: FakeRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("httpx2", "httpx"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(SettingsError, match=r"^PIPELINE_SCHEMA_REGISTRY_URL .*'onesignal-pipeline\[registry\]'$"):
        async with client(fake):
            pass
