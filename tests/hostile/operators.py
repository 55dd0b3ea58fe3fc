"""Hostile operator inputs: settings, files, rules and arguments, each with how the program must react.

Every input is one run of the program with an environment, files and arguments. It ends with one of `codes`, within
`MOST_SECONDS`, and prints no more than `MOST_PRINTED` characters, among them `shown` and never `hidden`. `FOLDER` in a
value or an argument stands for the folder in which the files are created (`prepare`).
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

FOLDER: Final = "@FOLDER@"
MOST_SECONDS: Final = 30.0
"""Two files that do not answer take five seconds each; the rest is for a slow machine."""
MOST_PRINTED: Final = 40_000
DONE: Final = frozenset({0})
MISTAKE: Final = frozenset({2})
NEVER_PRINTED: Final = ("Traceback", "MIIEvQIBADANBgkqhkiG", "\x1b[2J", "\u202e", "hunter2")
"""What no run prints: a fault of the program, a part of a private key, a sequence for the terminal, a password."""

KEY: Final = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
_SERVERS: Final = "PIPELINE_KAFKA_BOOTSTRAP_SERVERS"
_WRITE_KEY: Final = "PIPELINE_SEGMENT_WRITE_KEY"
_SINK: Final = {_SERVERS: "127.0.0.1:1", _WRITE_KEY: "k" * 32}
_PROCESSOR: Final = {_SERVERS: "127.0.0.1:1"}
_SHOW: Final = ("settings",)


class Sort(StrEnum):
    """What a name in a folder can refer to."""

    BYTES = "bytes"
    PIPE = "pipe"
    FOLDER = "folder"
    LOOP = "loop"
    SOCKET = "socket"
    SPARSE = "sparse"
    LINK = "link"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostileFile:
    """One file to create: `content` of bytes, `size` of a sparse one, `target` of a link."""

    name: str
    sort: Sort = Sort.BYTES
    content: bytes = b""
    size: int = 0
    target: str = ""

    def make(self, folder: Path) -> None:
        """Create it in a folder."""
        path = folder / self.name
        match self.sort:
            case Sort.BYTES:
                path.write_bytes(self.content)
            case Sort.PIPE:
                os.mkfifo(path)
            case Sort.FOLDER:
                path.mkdir()
            case Sort.LOOP:
                path.symlink_to(path)
            case Sort.LINK:
                path.symlink_to(self.target)
            case Sort.SOCKET:
                _bind(path)
            case Sort.SPARSE:
                with path.open("wb") as file:
                    file.truncate(self.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorInput:
    """One run of the program, and its expected result."""

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    files: tuple[HostileFile, ...] = ()
    codes: frozenset[int] = MISTAKE
    shown: tuple[str, ...] = ()
    hidden: tuple[str, ...] = NEVER_PRINTED

    def prepare(self, folder: Path) -> tuple[list[str], dict[str, str]]:
        """Create the files, and return the arguments and the environment that name them."""
        for file in self.files:
            file.make(folder)
        arguments = [argument.replace(FOLDER, str(folder)) for argument in self.arguments]
        return arguments, {name: value.replace(FOLDER, str(folder)) for name, value in self.environment.items()}

    def faults(self, code: int, printed: str) -> list[str]:
        """Return what is wrong with how a run ended and with what it printed."""
        found = [] if code in self.codes else [f"exit code {code}, not {sorted(self.codes)}"]
        found += [f"not printed: {text!r}" for text in self.shown if text not in printed]
        found += [f"printed: {text!r}" for text in self.hidden if text in printed]
        if len(printed) > MOST_PRINTED:
            found.append(f"{len(printed):,} characters printed")
        return found


def _bind(path: Path) -> None:
    """Create a socket; its path may be longer than an address, so it is bound from within its folder."""
    with socket.socket(socket.AF_UNIX) as bound:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            bound.bind(f"/proc/self/fd/{folder}/{path.name}")
        finally:
            os.close(folder)


# ---- settings that name files

_PATHS: Final[Mapping[str, Mapping[str, str]]] = {
    "PIPELINE_RULES_FILE": {},
    "PIPELINE_NAMES_FILE": {"PIPELINE_NAME_PROFILE": "custom"},
    "PIPELINE_RAW_SCHEMA_FILE": {"PIPELINE_RAW_FORMAT": "avro"},
    "PIPELINE_SCHEMA_REGISTRY_CA_FILE": {"PIPELINE_SCHEMA_REGISTRY_URL": "https://registry.example"},
    "PIPELINE_KAFKA_SSL_CA_FILE": {"PIPELINE_KAFKA_SECURITY_PROTOCOL": "SSL"},
    "PIPELINE_KAFKA_SSL_CERTIFICATE_FILE": {"PIPELINE_KAFKA_SECURITY_PROTOCOL": "SSL"},
    "PIPELINE_KAFKA_SSL_KEY_FILE": {"PIPELINE_KAFKA_SECURITY_PROTOCOL": "SSL"},
}
_ODD_FILES: Final = (
    (HostileFile(name="odd", sort=Sort.PIPE), "it is a pipe, not a file"),
    (HostileFile(name="odd", sort=Sort.FOLDER), "it is a folder, not a file"),
    (HostileFile(name="odd", sort=Sort.LOOP), "Too many levels of symbolic links"),
    (HostileFile(name="odd", sort=Sort.SOCKET), "it is a socket, not a file"),
    (HostileFile(name="odd", sort=Sort.SPARSE, size=2_000_000_000), "it has more than 1,048,576 bytes"),
    (HostileFile(name="odd", sort=Sort.LINK, target="/dev/zero"), "it is a device, not a file"),
)
_NO_PATHS: Final = (
    ("a private key", KEY, "it holds a key or a certificate itself"),
    ("a private key of one line", KEY.replace("\n", " "), "it holds a key or a certificate itself"),
    ("the text of rules", "rules:\n- then: drop", "it has a line break"),
    ("a name that is too long", "/" + "n" * 300, "File name too long"),
    ("a path that is too long", "/n" * 3_000, "File name too long"),
    ("bytes that are not UTF-8", "/mnt/\udcff", "it is not UTF-8 text"),
    ("a sequence for the terminal", "/mnt/\x1b[2J", "it has a character that cannot be seen"),
    ("text that runs from right to left", "/mnt/\u202eyaml", "it has a character that cannot be seen"),
)


def _path_settings() -> Iterator[OperatorInput]:
    for variable, others in _PATHS.items():
        for file, shown in _ODD_FILES:
            yield OperatorInput(
                name=f"{variable} names a {file.sort if file.sort is not Sort.LINK else 'device'}",
                arguments=_SHOW,
                environment={variable: f"{FOLDER}/odd", **others},
                files=(file,),
                shown=(variable, shown),
            )
    for variable, others in _PATHS.items():
        for what, value, shown in _NO_PATHS:
            yield OperatorInput(
                name=f"{variable} holds {what}",
                arguments=_SHOW,
                environment={variable: value, **others},
                shown=(variable, shown),
            )
    for file, shown in _ODD_FILES[:2]:
        yield OperatorInput(
            name=f"SSL_CERT_FILE names a {file.sort}",
            arguments=_SHOW,
            environment={"SSL_CERT_FILE": f"{FOLDER}/odd"},
            files=(file,),
            shown=("SSL_CERT_FILE is ", shown),
        )
    folder = "PIPELINE_DATA_DIRECTORY"
    for what, value, shown in (*_NO_PATHS, ("a device", "/dev/zero", "it is a file, not a folder")):
        yield OperatorInput(
            name=f"{folder} holds {what}", arguments=_SHOW, environment={folder: value}, shown=(folder, shown)
        )
    yield OperatorInput(
        name=f"{folder} names a pipe",
        arguments=_SHOW,
        environment={folder: f"{FOLDER}/odd"},
        files=(HostileFile(name="odd", sort=Sort.PIPE),),
        shown=("it is a file, not a folder",),
    )


# ---- secrets in files

_ODD_SECRETS: Final = (
    (HostileFile(name="odd", sort=Sort.PIPE), "it is a pipe, not a file"),
    (HostileFile(name="odd", sort=Sort.FOLDER), "it is a folder, not a file"),
    (HostileFile(name="odd", sort=Sort.LINK, target="/dev/urandom"), "it is a device, not a file"),
    (HostileFile(name="odd", sort=Sort.SPARSE, size=2_000_000_000), "it has more than 65,536 bytes"),
    (HostileFile(name="odd", content=b"hunter2\xff"), "it is not UTF-8 text, from byte 7 on"),
    (HostileFile(name="odd", content=b"\r\n \n"), "it is empty"),
    (HostileFile(name="odd", content=b"hunter2\0" * 3), "it has a null byte"),
)
_SECRETS: Final = (
    _WRITE_KEY,
    "PIPELINE_KAFKA_SASL_PASSWORD",
    "PIPELINE_KAFKA_SSL_KEY_PASSWORD",
    "PIPELINE_SCHEMA_REGISTRY_PASSWORD",
    "PIPELINE_TRACKED_USERS_SECRET",
)


def _secret_files() -> Iterator[OperatorInput]:
    for number, variable in enumerate(_SECRETS):
        for index, (file, shown) in enumerate(_ODD_SECRETS):
            if number and (index + number) % 2:
                continue  # the same code reads them all: every second one is enough
            yield OperatorInput(
                name=f"{variable}_FILE: {shown}",
                arguments=("worker", "segment-sink"),
                environment={**({} if variable == _WRITE_KEY else _SINK), f"{variable}_FILE": f"{FOLDER}/odd"},
                files=(file,),
                shown=(variable, shown),
            )
    for what, value in (("a key", KEY), ("a password", "hunter2"), ("a path of bytes", "/mnt/\udcff")):
        yield OperatorInput(
            name=f"{_WRITE_KEY}_FILE holds {what} itself",
            arguments=("worker", "segment-sink"),
            environment={_SERVERS: "127.0.0.1:1", f"{_WRITE_KEY}_FILE": value},
            shown=(f"{_WRITE_KEY}_FILE is set: ",),
        )
    yield OperatorInput(
        name="a password is not UTF-8",
        arguments=_SHOW,
        environment={"PIPELINE_KAFKA_SASL_PASSWORD": "hunter2\udcff"},
        shown=("PIPELINE_KAFKA_SASL_PASSWORD is set, but it is not UTF-8 text",),
    )


# ---- rules and names


def _bomb(levels: int) -> bytes:
    """Write lists of nine aliases, each to the list on the previous line."""
    return b"".join(b"%c: &%c [%b]\n" % (98 + level, 98 + level, b"*%c," % (97 + level) * 9) for level in range(levels))


_RULES: Final[tuple[tuple[str, bytes, str], ...]] = (
    ("9,000 mistakes", b"rules:\n" + b"- {thn: drop}\n" * 9_000, "17,981 more mistakes"),
    ("20,000 equal keys", b"rules: []\n" + b"a: 1\n" * 20_000, "more mistakes"),
    ("20,000 tags", b"rules: [" + b"!a b," * 20_000 + b"]", "more mistakes"),
    ("130,000 values", b"rules: [" + b"a," * 130_000 + b"]", "more than 50,000 keys and values"),
    ("more than the limit", b"#" * 262_145, "more than 262,144 characters"),
    ("more bytes than the limit", b"#" * 1_048_577, "it has more than 1,048,576 bytes"),
    (
        "an alias bomb",
        b"a: &a [x,x,x,x,x,x,x,x,x]\n" + _bomb(9),
        "more than 50,000 values after expanding aliases",
    ),
    ("an alias of itself", b"rules: &a [*a]", "nested too deep"),
    ("200,000 brackets", b"[" * 200_000, "nested too deep"),
    ("600 nested lists", b"".join(b" " * n + b"-\n" for n in range(600)), "nested too deep"),
    ("nested keys", b"{a: " * 60_000, "nested too deep"),
    ("null bytes", b"rules: []\0", "U+0000 is not allowed"),
    ("zeros only", b"\0" * 1_000, "U+0000 is not allowed"),
    ("a sequence for the terminal", b"rules: []\n\x1b[2J", "U+001B is not allowed"),
    ("an escape for the terminal", b'rules: []\n"\\e[2J": 1', "unknown key `\\x1b[2J`"),
    ("an escape that runs from right to left", b'rules: []\n"\\u202Exyz": 1', "unknown key `\\u202exyz`"),
    ("half a character", b'rules: []\n"\\uD800": 1', "half of a surrogate pair"),
    ("a character that does not exist", b'rules: "\\U00110000"', "a character that does not exist"),
    ("bytes that are not UTF-8", b"rules: []\n# \xff\xfe", "it is not UTF-8 text, from byte 12 on"),
    ("UTF-16", "rules: []".encode("utf-16"), "it is not UTF-8 text, from byte 0 on"),
    ("a private key", KEY.encode(), "the file must be a mapping"),
    ("nothing", b"", "the file is empty"),
    ("a number", b"1e999", "the file must be a mapping"),
    ("two documents", b"rules: []\n---\nrules: []", "a second document begins here"),
    ("a tag that would run code", b"rules: !!python/object/apply:os.system [ls]", "is not allowed"),
    ("a merge key", b"rules: []\n<<: {a: 1}", "merge keys"),
    ("a key of 200,000 letters", b"rules: []\n" + b"k" * 200_000 + b": 1", "expected"),
    ("a decision of 200,000 letters", b"rules: [{then: " + b"d" * 200_000 + b"}]", "unknown decision `ddd"),
    ("a sample of NaN", b"rules: [{then: {sample: {percent: .nan}}}]", "`percent` must be a number"),
    ("a sample without an end", b"rules: [{then: {sample: {percent: 1e99}}}]", "from 0 to 100"),
    ("a sample of 400 digits", b"rules: [{then: {sample: {percent: " + b"9" * 400 + b"}}}]", "must be a number"),
    ("a negative sample", b"rules: [{then: {sample: {percent: -1}}}]", "from 0 to 100"),
    ("markup", b"rules: [{name: '[red]', then: '[/]'}]", "unknown decision `[/]`"),
    ("20,000 unknown kinds", b"rules:\n- then: drop\n  when: {kind: [" + b"k," * 20_000 + b"]}", "more mistakes"),
    ("a list as a key", b"rules: []\n? [a]\n: b", "a key must be text"),
    ("a pattern without an end", b"rules: [{when: {message_name: '[" + b"*" * 600 + b"'}, then: drop}]", "characters"),
)


def _rules_files() -> Iterator[OperatorInput]:
    for what, content, shown in _RULES:
        yield OperatorInput(
            name=f"rules: {what}",
            arguments=("worker", "processor"),
            environment={**_PROCESSOR, "PIPELINE_RULES_FILE": f"{FOLDER}/rules.yaml"},
            files=(HostileFile(name="rules.yaml", content=content),),
            shown=(shown,),
        )
    yield OperatorInput(
        name="rules: 1,000 that never match",
        arguments=("rules", "check", f"{FOLDER}/rules.yaml"),
        files=(HostileFile(name="rules.yaml", content=b"rules:\n" + b"- then: drop\n" * 1_000),),
        codes=DONE,
        shown=("979 more rules can never match",),
    )
    for what, content, shown in (
        ("12,000 unknown kinds", b"".join(b"message.psh.%d: x\n" % n for n in range(12_000)), "11,980 more mistakes"),
        ("a list", b"- a", "the file must be a mapping from kinds to names"),
        ("a kind of 100 KB", b"? " + b"k" * 100_000 + b"\n: x", "unknown kind `kkk"),
        ("bytes that are not UTF-8", b"\xff", "it is not UTF-8 text"),
        ("an escape for the terminal", b'"\\e[2J": x', "unknown kind `\\x1b[2J`"),
    ):
        yield OperatorInput(
            name=f"names: {what}",
            arguments=("worker", "processor"),
            environment={
                **_PROCESSOR,
                "PIPELINE_NAMES_FILE": f"{FOLDER}/names.yaml",
                "PIPELINE_NAME_PROFILE": "custom",
            },
            files=(HostileFile(name="names.yaml", content=content),),
            shown=(shown,),
        )


_SCHEMAS: Final = (
    ("nothing", b"", "cannot be used as the schema of raw events"),
    ("200,000 brackets", b"[" * 200_000, "it is not an Avro schema"),
    ("a name of 200,000 letters", b'{"type": "record", "name": "%b", "fields": []}' % (b"n" * 200_000), "named nnn"),
    ("5,000 types", b"[" + b'"null",' * 4_999 + b'"int"]', "the schema is null or null"),
    ("a fixed of a terabyte", b'{"type": "fixed", "name": "x", "size": 1000000000000}', "is not a number of bytes"),
    ("half a character", b'"\\ud800"', "it is not an Avro schema"),
    ("an escape for the terminal", b'{"type": "record", "name": "\\u001b[2J", "fields": []}', "named \\u001b[2J"),
    ("bytes that are not UTF-8", b"\xff", "it is not UTF-8 text"),
)


def _schema_files() -> Iterator[OperatorInput]:
    for what, content, shown in _SCHEMAS:
        yield OperatorInput(
            name=f"schema: {what}",
            arguments=_SHOW,
            environment={"PIPELINE_RAW_SCHEMA_FILE": f"{FOLDER}/raw.avsc", "PIPELINE_RAW_FORMAT": "avro"},
            files=(HostileFile(name="raw.avsc", content=content),),
            shown=(shown,),
        )


# ---- single values

_VALUES: Final = (
    (_SERVERS, "kafka..example:9092", "is not a broker's address"),
    (_SERVERS, "[:::]:9092", "is not a broker's address"),
    (_SERVERS, "kafka:99999999999999999999", "is not a broker's address"),
    (_SERVERS, "kafka:\uff19\uff10\uff19\uff12", "is not a broker's address"),
    (_SERVERS, f"{'a.' * 200}example:9092", "is not a broker's address"),
    (_SERVERS, "user:hunter2@kafka:9092", "user name or password"),
    (_SERVERS, "kafka:9092," * 5_000 + "x", "is not a broker's address"),
    (_SERVERS, "kafka:9092\nkafka:9093", "it has a line break"),
    ("PIPELINE_SEGMENT_ENDPOINT", "https://segment..example/v1/batch", "PIPELINE_SEGMENT_ENDPOINT"),
    ("PIPELINE_SEGMENT_ENDPOINT", "https://user:hunter2@segment.example/v1/batch", "user name or password"),
    ("PIPELINE_SEGMENT_ENDPOINT", "https://segment.example", "ends with the host"),
    ("PIPELINE_SEGMENT_ENDPOINT", "https://segment.example:0/v1/batch", "its port is 0"),
    ("PIPELINE_SEGMENT_ENDPOINT", "https://segment.example:port/v1/batch", "cannot be used"),
    ("PIPELINE_SEGMENT_ENDPOINT", "https://[]@/v1/batch", "PIPELINE_SEGMENT_ENDPOINT"),
    ("PIPELINE_SEGMENT_ENDPOINT", "file:///etc/passwd", "it is not an address"),
    ("PIPELINE_SEGMENT_ENDPOINT", "https://segment.example/v1/batch?key=hunter2", "`?`"),
    ("PIPELINE_SEGMENT_ENDPOINT", "https://segment.example/\x1b[2J", "it has a character that cannot be seen"),
    ("PIPELINE_SCHEMA_REGISTRY_URL", "https://user:hunter2@registry.example", "user name or password"),
    ("PIPELINE_SCHEMA_REGISTRY_URL", "https://registry..example", "PIPELINE_SCHEMA_REGISTRY_URL"),
    ("PIPELINE_HTTP_HOST", "a..b", "no host can have this name"),
    ("PIPELINE_HTTP_HOST", "ü" * 100, "no host can have this name"),
    ("PIPELINE_HTTP_PORT", "-1", "from 0 to 65535"),
    ("PIPELINE_HTTP_PORT", "9" * 5_000, "from 0 to 65535"),
    ("PIPELINE_HTTP_PORT", "8080.5", "from 0 to 65535"),
    ("PIPELINE_HTTP_PORT", "\uff18\uff10\uff18\uff10", "from 0 to 65535"),
    ("PIPELINE_STALL_TIMEOUT_SECONDS", "nan", "a number from 1 to 86400"),
    ("PIPELINE_STALL_TIMEOUT_SECONDS", "inf", "a number from 1 to 86400"),
    ("PIPELINE_STALL_TIMEOUT_SECONDS", "1e999", "a number from 1 to 86400"),
    ("PIPELINE_DEAD_LETTER_MAX_SHARE", "-0.1", "a number from 0 to 1"),
    ("PIPELINE_DEAD_LETTER_MAX_SHARE", "NaN", "a number from 0 to 1"),
    ("PIPELINE_RAW_TOPIC", "..", "Kafka refuses such a topic name"),
    ("PIPELINE_RAW_TOPIC", "t" * 250, "Kafka refuses such a topic name"),
    ("PIPELINE_RAW_TOPIC", "[red]topic[/]", "Kafka refuses such a topic name"),
    ("PIPELINE_RECORDS_TOPIC", "onesignal.events", "each needs its own topic"),
    ("PIPELINE_PROCESSOR_GROUP", "g" * 250, "a name of 1 to 249 characters"),
    ("PIPELINE_PROCESSOR_GROUP", "group\nforged line", "it has a line break"),
    ("PIPELINE_PROCESSOR_GROUP", "group\udcff", "it is not UTF-8 text"),
    ("PIPELINE_KAFKA_SASL_USERNAME", "user\x07", "it has a character that cannot be seen"),
    ("PIPELINE_KAFKA_SASL_USERNAME", KEY, "it holds a key or a certificate itself"),
    ("PIPELINE_NOBODY_IDS", "a,,b", "there is nothing between two commas"),
    ("PIPELINE_NOBODY_IDS", "guest\u2028forged", "it has a line break"),
    ("PIPELINE_RULES_PRESET", "[bold]keep-all[/]", "one of"),
    ("PIPELINE_RULES_PRESET", "k" * 100_000, "one of"),
    ("PIPELINE_LOG_LEVEL", "\udce4", "it is not UTF-8 text"),
    ("PIPELINE_SEGMENT_GZIP", "maybe", "`true` or `false`"),
    ("PIPELINE_SEGMENT_LANES", "1e1", "a whole number from 1 to 64"),
    ("PIPELINE_SEGMENT_LANES", "0x10", "a whole number from 1 to 64"),
    ("PIPELINE_RAW_TOPIC_RETENTION_HOURS", "-2", "neither positive nor -1"),
    ("PIPELINE_TRACKED_USERS_SECRET", "hunter2", "it has 7 characters"),
    ("PIPELINE_RAWTOPIC", "x", "did you mean PIPELINE_RAW_TOPIC?"),
    ("PIPELINE_\x1b[2J", "x", "(not shown) is not a setting"),
    ("PIPELINE_" + "A" * 10_000, "hunter2", "is not a setting"),
)


def _values() -> Iterator[OperatorInput]:
    for number, (variable, value, shown) in enumerate(_VALUES, 1):
        yield OperatorInput(
            name=f"value {number}: {variable[:60]!a}",
            arguments=_SHOW,
            environment={variable: value},
            shown=(shown,),
        )
    yield OperatorInput(
        name="5,000 variables that are no settings",
        arguments=_SHOW,
        environment={f"PIPELINE_NO_SETTING_{number:04}": "x" for number in range(5_000)},
        shown=("4,980 more variables are no settings",),
    )
    yield OperatorInput(
        name="a password for a key that is too long for TLS",
        arguments=_SHOW,
        environment={
            "PIPELINE_KAFKA_SECURITY_PROTOCOL": "SSL",
            "PIPELINE_KAFKA_SSL_CERTIFICATE_FILE": f"{FOLDER}/key.pem",
            "PIPELINE_KAFKA_SSL_KEY_PASSWORD": "hunter2" * 1_000,
        },
        files=(HostileFile(name="key.pem", content=KEY.encode()),),
        shown=("PIPELINE_KAFKA_SSL_CERTIFICATE_FILE",),
    )


# ---- values that only the network can check

_FAILED: Final = frozenset({1})
_UNREACHABLE: Final = (
    ("a status port on another machine's address", {"PIPELINE_HTTP_HOST": "203.0.113.1"}, "cannot be served on"),
    ("a status port on a host that is not there", {"PIPELINE_HTTP_HOST": "host.invalid"}, "cannot be served on"),
    ("a status port in an unknown zone", {"PIPELINE_HTTP_HOST": "fe80::1%nope"}, "cannot be served on"),
    ("a broker that is not there", {_SERVERS: "host.invalid:1"}, "No Kafka broker can be used"),
    ("a broker in letters of no language", {_SERVERS: "xn--a:9092"}, "No Kafka broker can be used"),
    ("a broker of five numbers", {_SERVERS: "1.2.3.4.5:1"}, "No Kafka broker can be used"),
)


def _unreachable() -> Iterator[OperatorInput]:
    for what, environment, shown in _UNREACHABLE:
        yield OperatorInput(
            name=what,
            arguments=("worker", "segment-sink"),
            environment={**_SINK, "PIPELINE_HTTP_PORT": "0", **environment},
            codes=_FAILED,
            shown=(shown,),
        )


# ---- files on the command line

_UNENDING: Final = (
    ("rules, a device", ("rules", "check", "/dev/zero"), "it has more than 1,048,576 bytes"),
    ("rules, a folder", ("rules", "check", FOLDER), "Is a directory"),
    ("rules, a name that is too long", ("rules", "check", "n" * 5_000), "File name too long"),
    ("rules, a private key", ("rules", "check", f"./{KEY}"), "(not shown)"),
    ("a difference to a device", ("rules", "diff", "keep-all", "/dev/zero"), "it has more than 1,048,576 bytes"),
    ("an event of a device", ("rules", "explain", "keep-all", "/dev/zero"), "it has more than 16,777,216 bytes"),
    (
        "traffic of a device",
        ("rules", "what-if", "keep-all", "--from", "/dev/zero"),
        "line 1 has more than 16,777,216 bytes",
    ),
)


def _arguments() -> Iterator[OperatorInput]:
    for what, arguments, shown in _UNENDING:
        yield OperatorInput(name=f"argument: {what}", arguments=arguments, shown=(shown,))
    traffic = HostileFile(name="events", sort=Sort.SPARSE, size=2_000_000_000)
    yield OperatorInput(
        name="argument: traffic of 2 GB without a line break",
        arguments=("rules", "what-if", "keep-all", "--from", f"{FOLDER}/events"),
        files=(traffic,),
        shown=("line 1 has more than 16,777,216 bytes",),
    )
    yield OperatorInput(
        name="argument: traffic of bytes",
        arguments=("rules", "what-if", "keep-all", "--from", f"{FOLDER}/events"),
        files=(HostileFile(name="events", content=bytes(range(256)) * 100),),
        codes=DONE,
    )


INPUTS: Final = (
    *_path_settings(),
    *_secret_files(),
    *_rules_files(),
    *_schema_files(),
    *_values(),
    *_unreachable(),
    *_arguments(),
)
