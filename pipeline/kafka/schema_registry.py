"""Look up schemas in a registry with Confluent's REST interface (Confluent, Karapace, Apicurio).

The client is confluent-kafka's asynchronous one; it comes with the extra `registry`.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from pipeline.core.avro.framing import fingerprint, fingerprint_of, registry_id
from pipeline.core.avro.schema_types import UnusableSchemaError
from pipeline.kafka.certificates import certificate_fault, certificate_words
from pipeline.kafka.errors import ClusterFaultError
from pipeline.settings.extras import Extra, missing_extra
from pipeline.settings.files import FileError, promptly
from pipeline.settings.mistakes import Mistake, SettingsError, variable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


REQUEST_SECONDS: Final = 10.0
FIND_SECONDS: Final = 60.0
"""Bound of a whole look-up: the client bounds only each read, and an answer may come byte by byte for ever."""
_NOT_FOUND: Final = 404
_SCHEMA_NOT_FOUND: Final = 40403
_SUBJECT_NOT_FOUND: Final = 40401
_VERSION_NOT_FOUND: Final = 40402
_UNAUTHORIZED: Final = (401, 403)
_CONFLICT: Final = 409
_HOLDS_SCHEMAS: Final = frozenset({"type", "items", "values", "fields"})
_SHOWN_CHARACTERS: Final = 200
_AUTHORITIES: Final = f"{variable('schema_registry_ca_file')} (without it the system's authorities are used)"


class RegistryFaultError(ClusterFaultError):
    """The registry cannot be used now; the text contains the reason and what to check."""


class IncompatibleSchemaError(ClusterFaultError):
    """The registry rejects a schema; the text contains the registry's reason."""


class Absence(StrEnum):
    """Why a look-up found no Avro schema."""

    UNKNOWN = "the registry has no such schema"
    NOT_AVRO = "it is not an Avro schema"


Lookup: TypeAlias = str | Absence


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryOptions:
    """How to reach a registry; `raw_subject` is the subject of the raw topic's schema."""

    url: str
    username: str | None
    password: str | None
    ca_file: Path | None
    raw_subject: str
    request_seconds: float = REQUEST_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Registered:
    """The id and the version under which a schema is registered."""

    schema_id: int
    version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of the raw topic's schema; ``deleted`` is true for a soft-deleted one."""

    number: int
    deleted: bool
    schema: Lookup


class SchemaRegistry:
    """One registry. Nothing is cached: some answers can change. The schema of an id never changes."""

    def __init__(self, options: RegistryOptions) -> None:
        """Create the client; it connects with the first request.

        Raises:
            SettingsError: the extra `registry` is not installed.
            RegistryFaultError: the certificate file cannot be used.
        """
        self._address = options.url
        self._raw_subject = options.raw_subject
        self._library = _library()
        configuration: dict[str, Any] = {"url": options.url, "max.retries": 0, "timeout": options.request_seconds}
        if options.username is not None:
            configuration["basic.auth.user.info"] = f"{options.username}:{options.password}"
        # By default the client trusts the authorities of the package certifi. We use those of the system, if any.
        usual = ssl.get_default_verify_paths()
        trusted = options.ca_file or usual.cafile or usual.capath
        if trusted is not None:
            configuration["ssl.ca.location"] = str(trusted)
        make = partial(self._library.AsyncSchemaRegistryClient, configuration)
        try:
            self._client = make() if options.ca_file is None else promptly(options.ca_file, make)
        except FileError as error:
            text = f"{variable('schema_registry_ca_file')} is `{options.ca_file}`, but {error}."
            raise RegistryFaultError(text) from None
        except (ssl.SSLError, OSError):
            raise RegistryFaultError(
                f"{variable('schema_registry_ca_file')} is `{options.ca_file}`: the file holds no certificate in PEM."
            ) from None

        # On a connection that is kept open, surplus bytes are read as the answer to the next request (httpcore's
        # http11.py: h11 keeps the rest of what was read), and a wrong schema for an id would be used for ever.
        self._client._rest_client.session.headers["Connection"] = "close"  # noqa: SLF001 - there is no setting

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def find(self, prefix: bytes) -> Lookup:
        """Return the schema that a message's prefix refers to.

        Raises:
            RegistryFaultError: the registry does not answer, or refuses to.
        """
        schema_id = registry_id(prefix)
        async with self._in_time():
            return await (self._by_fingerprint(fingerprint(prefix)) if schema_id is None else self._by_id(schema_id))

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(FIND_SECONDS):
                yield
        except TimeoutError as error:
            raise self._fault(error) from error

    async def _by_id(self, schema_id: int) -> Lookup:
        try:
            return await self._text(await self._client.get_schema(schema_id))
        except Exception as error:
            if self._code(error) == _SCHEMA_NOT_FOUND:
                return Absence.UNKNOWN
            raise self._fault(error) from error

    async def _by_fingerprint(self, wanted: bytes) -> Lookup:
        """Search the versions of the raw topic's subject: registries have no look-up by fingerprint."""
        try:
            versions = await self._client.get_versions(self._raw_subject)
            for version in sorted(versions, reverse=True):
                text = await self._text((await self._client.get_version(self._raw_subject, version)).schema)
                if not isinstance(text, Absence) and _has(text, wanted):
                    return text
        except Exception as error:
            if self._code(error) not in {_SUBJECT_NOT_FOUND, _VERSION_NOT_FOUND}:
                raise self._fault(error) from error
        return Absence.UNKNOWN

    async def _text(self, schema: Any) -> Lookup:
        """Return a schema in which every reference is replaced by the schema that it refers to."""
        if schema.schema_type not in {None, "AVRO"}:
            return Absence.NOT_AVRO
        if schema.schema_str is None:
            raise ValueError("it has no schema")
        named: dict[str, Any] = {}
        for reference in schema.references or ():
            referred = (await self._client.get_version(reference.subject, reference.version)).schema
            text = await self._text(referred)
            if isinstance(text, Absence):
                return text
            named[reference.name] = orjson.loads(text)
        return (
            schema.schema_str if not named else orjson.dumps(_filled(orjson.loads(schema.schema_str), named)).decode()
        )

    # ---- the raw topic's versions

    async def versions(self) -> AsyncIterator[Version]:
        """Return every version under the raw topic's subject, the oldest first; none if there is no such subject.

        Soft-deleted versions are included, because the registry still resolves their ids.

        Raises:
            RegistryFaultError: the registry does not answer, or refuses to.
        """
        async with self._in_time():
            live = await self._numbers(deleted=False)
            numbers = live | await self._numbers(deleted=True)
        for number in sorted(numbers):
            async with self._in_time():
                schema = await self._version(number)
            yield Version(number=number, deleted=number not in live, schema=schema)

    async def _numbers(self, *, deleted: bool) -> set[int]:
        try:
            return _numbers_of(await self._client.get_versions(self._raw_subject, deleted=deleted))
        except Exception as error:
            if self._code(error) in {_SUBJECT_NOT_FOUND, _VERSION_NOT_FOUND}:
                return set()
            raise self._fault(error) from error

    async def _version(self, number: int) -> Lookup:
        try:
            return await self._text((await self._client.get_version(self._raw_subject, number, deleted=True)).schema)
        except Exception as error:
            if self._code(error) in {_SCHEMA_NOT_FOUND, _SUBJECT_NOT_FOUND, _VERSION_NOT_FOUND}:
                return Absence.UNKNOWN
            raise RegistryFaultError(f"version {number} of {self._raw_subject}: {self._fault(error)}") from error

    # ---- contracts

    async def registered(self, subject: str, schema: str) -> Registered | None:
        """Return a schema's id and version under a subject; None if it is not registered.

        Raises:
            RegistryFaultError: the registry does not answer, or refuses to.
        """
        try:
            found = await self._client.lookup_schema(subject, self._library.Schema(schema, "AVRO"))
        except Exception as error:
            if self._code(error) in {_SCHEMA_NOT_FOUND, _SUBJECT_NOT_FOUND}:
                return None
            raise self._fault(error) from error
        return Registered(schema_id=found.schema_id, version=found.version)

    async def compatible(self, subject: str, schema: str) -> bool:
        """Return whether a schema is compatible with all versions of a subject, by the subject's compatibility level.

        A subject without versions accepts any schema.

        Raises:
            RegistryFaultError: the registry does not answer, or refuses to.
        """
        try:
            is_compatible = await self._client.test_compatibility_all_versions(
                subject, self._library.Schema(schema, "AVRO")
            )
        except Exception as error:
            if self._code(error) in {_SUBJECT_NOT_FOUND, _VERSION_NOT_FOUND}:
                return True
            raise self._fault(error) from error
        return bool(is_compatible)

    async def register(self, subject: str, schema: str) -> int:
        """Register a schema under a subject and return its id. The same schema always gets the same id.

        Raises:
            IncompatibleSchemaError: the subject's compatibility level does not allow it.
            RegistryFaultError: the registry does not answer, or refuses to.
        """
        try:
            schema_id: int = await self._client.register_schema(subject, self._library.Schema(schema, "AVRO"))
        except Exception as error:
            if getattr(error, "http_status_code", None) == _CONFLICT:
                raise IncompatibleSchemaError(
                    f"the registry rejects the schema under {subject}, by the subject's compatibility level: "
                    f"{_shown(error)}"
                ) from error
            raise self._fault(error) from error
        return schema_id

    def _code(self, error: Exception) -> int | None:
        if isinstance(error, self._library.SchemaRegistryError) and error.http_status_code == _NOT_FOUND:
            return error.error_code  # type: ignore[no-any-return]
        return None

    def _fault(self, error: Exception) -> RegistryFaultError:
        """Return an error that describes what went wrong. Errors of the library over a malformed answer count too."""
        if isinstance(error, RegistryFaultError):
            return error
        address = f"the schema registry at {self._address}"
        if (fault := certificate_fault(error)) is not None:
            problem = certificate_words(fault, address=variable("schema_registry_url"), authority=_AUTHORITIES)
            return RegistryFaultError(f"{address} cannot be used: {problem}")
        if not isinstance(error, self._library.SchemaRegistryError):
            known = isinstance(error, (self._library.TransportError, OSError))
            answered = "does not answer" if known else "sends an answer that is not understood"
            detail = f"{type(error).__name__} {error}".strip()[:_SHOWN_CHARACTERS]
            return RegistryFaultError(
                f"{address} {answered} ({detail}): check {variable('schema_registry_url')}, and that it runs"
            )
        status = error.http_status_code
        if status in _UNAUTHORIZED:
            return RegistryFaultError(
                f"{address} answers {status}: check {variable('schema_registry_username')} and "
                f"{variable('schema_registry_password')}, and the permissions of that user"
            )
        path = f"check the path in {variable('schema_registry_url')}"
        hint = path if status == _NOT_FOUND else "see its log"
        known = error.error_code not in {None, error.UNKNOWN}
        detail = f" ({_shown(error)})" if known else ", which is not an answer of a schema registry"
        return RegistryFaultError(f"{address} answers {status}{detail}: {hint}")


@dataclass(frozen=True, slots=True)
class _Library:
    AsyncSchemaRegistryClient: Any
    Schema: Any
    SchemaRegistryError: Any
    TransportError: Any


def _library() -> _Library:
    try:
        from confluent_kafka import schema_registry  # noqa: PLC0415 -- an extra that most users do not install

        try:  # the one that confluent-kafka uses
            import httpx2 as httpx  # noqa: PLC0415
        except ImportError:
            import httpx  # type: ignore[no-redef, import-not-found, unused-ignore] # noqa: PLC0415
    except ImportError as error:
        field = "schema_registry_url"
        text = missing_extra(Extra.REGISTRY, error.name or str(error), needed_by=variable(field))
        raise SettingsError((Mistake(fields=(field,), text=text),)) from error
    return _Library(
        schema_registry.AsyncSchemaRegistryClient,
        schema_registry.Schema,
        schema_registry.SchemaRegistryError,
        httpx.TransportError,
    )


def _numbers_of(versions: Any) -> set[int]:
    if not isinstance(versions, list) or not all(type(number) is int for number in versions):
        raise ValueError("its versions are not numbers")
    return set(versions)


def _has(text: str, wanted: bytes) -> bool:
    """Return whether a schema has a fingerprint. An invalid Avro schema has none, and the search continues."""
    try:
        return fingerprint_of(text) == wanted
    except UnusableSchemaError:
        return False


def _filled(schema: Any, named: dict[str, Any]) -> Any:
    """Return the schema with the definition of each referenced name at its first use."""
    if isinstance(schema, str):
        return named.pop(schema, schema)
    if isinstance(schema, list):
        return [_filled(branch, named) for branch in schema]
    return {key: _filled(value, named) if key in _HOLDS_SCHEMAS else value for key, value in schema.items()}


def _shown(error: Exception) -> str:
    """Return the registry's own message; the library adds numbers to it."""
    return str(getattr(error, "error_message", error))[:_SHOWN_CHARACTERS]
