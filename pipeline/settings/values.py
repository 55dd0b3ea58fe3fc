"""The types of settings: what each accepts, in words and in code."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from annotated_types import Ge, Le
from pydantic import AfterValidator, Field, SecretStr
from yarl import URL

from pipeline.core.ids import EMPTY_IDS, EmptyReason
from pipeline.settings.files import FileError, check_file, promptly
from pipeline.settings.masking import presentable

_SERVER: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_WRITE_KEY_LENGTH: Final = 32
_SECRET_LENGTH: Final = 16
_WRITE_KEY: Final = re.compile(rf"[A-Za-z0-9]{{{_WRITE_KEY_LENGTH}}}")
_WEB_ADDRESS: Final = re.compile(r"https?://[^/?#]", re.IGNORECASE)
_HOST_LABEL: Final = re.compile(r"[0-9A-Za-z_]([0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?")
_MAX_PORT: Final = 65_535
_LONGEST_HOST: Final = 253
_LONGEST_TEXT: Final = 1_000
_LONGEST_WORDS: Final = 10_000
FOR_EVER: Final = -1


@dataclass(frozen=True, slots=True)
class Expected:
    """What a setting accepts, in words, for error messages and the reference."""

    words: str


def _servers(value: str) -> str:
    if "@" in value:
        raise ValueError("it holds a user name or password, which have settings of their own")
    servers = [server.strip() for server in value.split(",")]
    for server in servers:
        match = _SERVER.fullmatch(server)
        if match is None or not 0 < int(match[2]) <= _MAX_PORT or not _is_host(match[1].strip("[]")):
            raise ValueError(f"`{presentable(server)}` is not a broker's address")
    return ",".join(servers)


def _topic(value: str) -> str:
    # The rule of `validate` in Kafka's class `Topic`.
    if value in {".", ".."} or _TOPIC.fullmatch(value) is None:
        raise ValueError("Kafka refuses such a topic name")
    return value


def _write_key(value: SecretStr) -> SecretStr:
    # Segment answers 200 to an unknown key, unless it is very short, and discards the records.
    key = value.get_secret_value()
    if _WRITE_KEY.fullmatch(key) is not None:
        return value
    if _WRITE_KEY.fullmatch(key.strip()) is not None:
        raise ValueError("there is a space or a line break around the key")
    if len(key) != _WRITE_KEY_LENGTH:
        raise ValueError(f"it has {len(key)} characters")
    raise ValueError("it has characters other than letters and digits")


def _plain(text: str) -> str:
    if text.strip() != text:
        raise ValueError("there is a space or a line break around it")
    if not text.isascii() or not text.isprintable() or " " in text or ":" in text:
        raise ValueError("it has characters that no user name or secret of Mixpanel has")
    return text


def _plain_secret(value: SecretStr) -> SecretStr:
    _plain(value.get_secret_value())
    return value


def _long_secret(value: SecretStr) -> SecretStr:
    length = len(value.get_secret_value().strip())
    if length < _SECRET_LENGTH:
        raise ValueError(f"it has {length} characters")
    return value


def _words(value: str) -> str:
    words = [word.strip() for word in value.split(",")] if value.strip() else []
    for word in words:
        if EMPTY_IDS.reason(word) is EmptyReason.BLANK:
            raise ValueError("there is nothing between two commas")
        if EMPTY_IDS.reason(word) is EmptyReason.NOTHING_LEFT:
            raise ValueError(f"`{presentable(word)}` is nothing without its quotes and brackets")
    return ",".join(words)


def _url(value: str) -> str:
    if _WEB_ADDRESS.match(value) is None:
        raise ValueError("it is not an address that starts with https:// or http://")
    if "?" in value or "#" in value:
        raise ValueError("it has a `?` or `#` part")
    try:
        url = URL(value)
        problem = _address_problem(url, url.raw_host or "", url.port)
    except (ValueError, IndexError):  # yarl raises the second for `http://[]@`
        problem = "its host or its port cannot be used"
    if problem is not None:
        raise ValueError(problem)
    return value


def _import_url(value: str) -> str:
    if not URL(_url(value)).path.endswith("/import"):
        raise ValueError("it does not end with `/import`, the path of the call")
    return value


def _batch_url(value: str) -> str:
    if URL(_url(value)).path in {"", "/"}:
        raise ValueError("it ends with the host: the path of the batch call belongs to it")
    return value


def _address_problem(url: URL, host: str, port: int | None) -> str | None:
    if url.user is not None or url.password is not None:
        return "it holds a user name or password; secrets have settings of their own"
    if not _is_host(host):
        return "it does not name a host that can exist"
    if port == 0:
        return "its port is 0"
    return None


def _is_host(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        return len(host) <= _LONGEST_HOST and all(_HOST_LABEL.fullmatch(label) for label in labels)
    return True


def _host(value: str) -> str:
    if not _is_host(value):
        raise ValueError("no host can have this name")
    return value


def _readable_file(value: Path) -> Path:
    check_file(value)
    return value


def _writable_folder(value: Path) -> Path:
    problem = promptly(value, lambda: _folder_problem(value))
    if problem is not None:
        raise FileError(problem)
    return value


def _folder_problem(value: Path) -> str | None:
    try:
        there = next(folder for folder in (value, *value.absolute().parents) if folder.exists())
    except OSError as error:
        return f"it cannot be used: {error.strerror}"
    if not there.is_dir():
        return (
            "it is a file, not a folder" if there == value else f"`{presentable(str(there))}` is a file, not a folder"
        )
    if not os.access(there, os.W_OK | os.X_OK):
        return "it may not be written" if there == value else f"it cannot be made in `{presentable(str(there))}`"
    return None


def _hours(value: int) -> int:
    if value != FOR_EVER and value < 1:
        raise ValueError("it is neither positive nor -1")
    return value


Servers = Annotated[
    str,
    AfterValidator(_servers),
    Expected("brokers, separated by commas, such as `kafka-1:9092,kafka-2:9092`"),
]
Topic = Annotated[str, AfterValidator(_topic), Expected("a topic name: at most 249 letters, digits, `.`, `_` and `-`")]
Name = Annotated[str, Field(min_length=1, max_length=249), Expected("a name of 1 to 249 characters")]
Text = Annotated[
    str, Field(min_length=1, max_length=_LONGEST_TEXT), Expected(f"text of at most {_LONGEST_TEXT:,} characters")
]
Host = Annotated[str, AfterValidator(_host), Expected("a host name or an IP address")]
Secret = Annotated[SecretStr, Expected("a secret")]
LongSecret = Annotated[
    SecretStr, AfterValidator(_long_secret), Expected(f"a secret of at least {_SECRET_LENGTH} characters")
]
WriteKey = Annotated[
    SecretStr,
    AfterValidator(_write_key),
    Expected("32 letters and digits, as the source shows them in Segment under Settings, API Keys"),
]
Url = Annotated[
    str, AfterValidator(_batch_url), Expected("an address such as `https://events.eu1.segmentapis.com/v1/batch`")
]
MixpanelUrl = Annotated[
    str, AfterValidator(_import_url), Expected("an address such as `https://api-eu.mixpanel.com/import`")
]
PlainText = Annotated[
    str,
    Field(min_length=1, max_length=_LONGEST_TEXT),
    AfterValidator(_plain),
    Expected("visible ASCII characters without spaces and colons"),
]
PlainSecret = Annotated[
    SecretStr,
    Field(min_length=1, max_length=_LONGEST_TEXT),
    AfterValidator(_plain_secret),
    Expected("visible ASCII characters without spaces and colons"),
]
ProjectId = Annotated[
    str, Field(pattern="^[0-9]{1,20}$"), Expected("the number of the project, as in the address of its pages")
]
RegistryUrl = Annotated[
    str,
    AfterValidator(_url),
    Expected("an address such as `https://registry.example:8081`; Apicurio's ends in `/apis/ccompat/v7`"),
]
Words = Annotated[
    str,
    Field(max_length=_LONGEST_WORDS),
    AfterValidator(_words),
    Expected("words, separated by commas, such as `guest,1,email`"),
]
ReadableFile = Annotated[Path, AfterValidator(_readable_file), Expected("the path of a file that can be read")]
Folder = Annotated[
    Path, AfterValidator(_writable_folder), Expected("the path of a folder that can be written, or made")
]
Hours = Annotated[int, AfterValidator(_hours), Expected("a whole number of hours, or `-1` for ever")]
Partitions = Annotated[int, Ge(1), Le(10_000)]
Port = Annotated[int, Ge(0), Le(_MAX_PORT)]
