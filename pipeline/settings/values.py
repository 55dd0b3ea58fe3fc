"""The types of single settings: what each accepts, in words and in code."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from annotated_types import Ge, Le
from pydantic import AfterValidator, Field, SecretStr

_SERVER: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})")
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_WRITE_KEY_LENGTH: Final = 32
_WRITE_KEY: Final = re.compile(rf"[A-Za-z0-9]{{{_WRITE_KEY_LENGTH}}}")
_MAX_PORT: Final = 65_535
FOR_EVER: Final = -1


@dataclass(frozen=True, slots=True)
class Expected:
    """What a setting accepts, in words; stands in error messages and in the README's table."""

    words: str


def _servers(value: str) -> str:
    servers = [server.strip() for server in value.split(",")]
    for server in servers:
        match = _SERVER.fullmatch(server)
        if match is None or not 0 < int(match[2]) <= _MAX_PORT:
            raise ValueError(f"`{server}` is not a broker's address")
    return ",".join(servers)


def _topic(value: str) -> str:
    # As Kafka's own class `Topic` does in its method `validate`.
    if value in {".", ".."} or _TOPIC.fullmatch(value) is None:
        raise ValueError("Kafka refuses such a topic name")
    return value


def _write_key(value: SecretStr) -> SecretStr:
    # Segment answers 200 to an unknown key of any shape but a very short one, and throws the records away.
    key = value.get_secret_value()
    if _WRITE_KEY.fullmatch(key) is not None:
        return value
    if _WRITE_KEY.fullmatch(key.strip()) is not None:
        raise ValueError("there is a space or a line break around the key")
    if len(key) != _WRITE_KEY_LENGTH:
        raise ValueError(f"it has {len(key)} characters")
    raise ValueError("it has characters other than letters and digits")


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("it is not an address that starts with https:// or http://")
    if parts.username or parts.password:
        raise ValueError("it holds a user name or password; secrets have settings of their own")
    if parts.query or parts.fragment:
        raise ValueError("it has a `?` or `#` part")
    return value


def _readable_file(value: Path) -> Path:
    if value.is_dir():
        raise ValueError("it is a folder, not a file")
    try:
        with value.open("rb"):
            return value
    except FileNotFoundError:
        raise ValueError("there is no such file") from None
    except OSError as error:
        raise ValueError(f"it cannot be read: {error.strerror}") from None


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
Text = Annotated[str, Field(min_length=1), Expected("text")]
Secret = Annotated[SecretStr, Expected("a secret")]
WriteKey = Annotated[
    SecretStr,
    AfterValidator(_write_key),
    Expected("32 letters and digits, as the source shows them in Segment under Settings, API Keys"),
]
Url = Annotated[str, AfterValidator(_url), Expected("an address such as `https://events.eu1.segmentapis.com/v1/batch`")]
RegistryUrl = Annotated[
    str,
    AfterValidator(_url),
    Expected("an address such as `https://registry.example:8081`; Apicurio's ends in `/apis/ccompat/v7`"),
]
ReadableFile = Annotated[Path, AfterValidator(_readable_file), Expected("the path of a file that can be read")]
Folder = Annotated[Path, Expected("the path of a folder")]
Hours = Annotated[int, AfterValidator(_hours), Expected("a whole number of hours, or `-1` for ever")]
Partitions = Annotated[int, Ge(1), Le(10_000)]
Port = Annotated[int, Ge(0), Le(_MAX_PORT)]
