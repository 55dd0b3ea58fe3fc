"""Hostile operator inputs on command lines: options, names and contents of files, and streams that fail."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ESCAPE: Final = "\x1b"
CLEAR_SCREEN: Final = "\x1b[2J\x1b[H"
CLIPBOARD: Final = "\x1b]52;c;cm0gLXJmIH4K\x07"
C1_SEQUENCE: Final = "\x9b2J\x9d52;c;cm0K\x9c"
REVERSED: Final = "\u202edrop\u202c\u2066keep\u2069"
HIDDEN: Final = "\u200b\u2060\ufeff\U000e0041\U000e007f"
FORGED: Final = "x\noutcome   delivered\rdecided   nobody\u2028\u2029\x85"
MARKUP: Final = "[bold red]x[/] [/] [link=x] :boom: [bold"
NOT_UTF_8: Final = "\udcff\udcfe\udc80"
OVER_LONG: Final = "x" * 100_000
MANY_DIGITS: Final = "9" * 5_000
EVERYTHING: Final = CLIPBOARD + CLEAR_SCREEN + C1_SEQUENCE + REVERSED + HIDDEN + FORGED + MARKUP

STEERING: Final = (
    *(bytes([code]) for code in range(0x20) if code != ord("\n")),
    b"\x7f",
    *(chr(code).encode() for code in (*range(0x80, 0xA0), 0x061C, *range(0x200B, 0x2010), 0x2028, 0x2029)),
    *(chr(code).encode() for code in (*range(0x202A, 0x202F), *range(0x2060, 0x2070), 0xFEFF)),
    b"\xf3\xa0\x80",
    b"\xf3\xa0\x81",
)
"""Characters that control a terminal, hide or reorder; no command may print them."""
CRASHES: Final = (b"Traceback", b"Exception ignored", b"--- Logging error ---")
FORGERIES: Final = (b"\noutcome   delivered\r", b"\nforged")

DONE, FAILED, MISTAKE = 0, 1, 2


class Output(StrEnum):
    """What standard output is connected to."""

    READ = "read"
    CLOSED = "closed"
    FULL = "a full disk"
    GONE = "a pipe without a reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorInput:
    """One command line, run in a folder that contains `files` by name, and its allowed results.

    Names that are not UTF-8 are written with surrogates, as Python's file system encoding does.
    """

    name: str
    argv: tuple[str, ...]
    exit_codes: frozenset[int]
    files: Mapping[str, bytes] = field(default_factory=dict)
    stdin: bytes = b""
    output: Output = Output.READ
    must_not_appear: tuple[bytes, ...] = (*STEERING, *CRASHES, *FORGERIES)
    must_appear: tuple[bytes, ...] = ()


def _event(**facts: Any) -> bytes:
    usual = {"id": "e-1", "kind": "message.push.clicked", "external_id": "u-1"}
    return json.dumps({"event": {**usual, **facts}}).encode()


def _quoted(text: str) -> str:
    """Return a text as YAML reads it back; YAML does not accept JSON's surrogate halves."""
    return '"' + "".join(each if each.isalnum() and each.isascii() else f"\\U{ord(each):08x}" for each in text) + '"'


def _rules(name: str = "x", *, value: str = "x", then: str = "drop", action: str = "sent") -> bytes:
    when = f"{{action: {_quoted(action)}, message_name: {_quoted(value)}}}"
    return f"rules: [{{name: {_quoted(name)}, when: {when}, then: {_quoted(then)}}}]\n".encode()


def _shortly(value: str) -> str:
    return f"{value[:12]!r}" + f" of {len(value)} characters" * (len(value) > 12)


def _case(name: str, *argv: str, codes: tuple[int, ...] = (MISTAKE,), **others: Any) -> OperatorInput:
    return OperatorInput(name=name, argv=argv, exit_codes=frozenset(codes), **others)


def _explained(name: str, event: bytes, **others: Any) -> OperatorInput:
    files = {"r.json": _rules(), "e.json": event}
    return _case(f"explain: {name}", "rules", "explain", "r.json", "e.json", codes=(DONE,), files=files, **others)


def _counted(name: str, *argv: str, rules: str = "r.json", codes: tuple[int, ...] = (DONE,)) -> OperatorInput:
    files = {rules: _rules(EVERYTHING), "e.jsonl": _event(kind=f"message.{CLIPBOARD}fax.sent") + b"\n" + _event()}
    return _case(f"what-if: {name}", "rules", "what-if", rules, "--from", "e.jsonl", *argv, codes=codes, files=files)


EXPLAINED: Final = (
    _explained(
        "a kind that writes to the clipboard", _event(kind=f"message.{CLIPBOARD}"), must_appear=(b"\\u001b]52",)
    ),
    _explained("a kind that clears the screen by C1", _event(kind=f"message.{C1_SEQUENCE}"), must_appear=(b"\\u009b",)),
    _explained("a user with a clear screen", _event(external_id=f"u{CLEAR_SCREEN}")),
    _explained("a user that turns the direction", _event(external_id=f"u{REVERSED}")),
    _explained("an id that forges a line", _event(id=FORGED)),
    _explained("tags with everything", _event(tags={EVERYTHING: EVERYTHING})),
    _explained(
        "a delivered title that is hidden",
        json.dumps(
            {"event": json.loads(_event())["event"], "message": {"id": "m-1", "name": EVERYTHING, "title": EVERYTHING}}
        ).encode(),
    ),
    _explained("a lone surrogate", b'{"event":{"id":"\\ud800","kind":"\\udfff","external_id":"u"}}'),
    _explained("bytes that are no text", b"\xff\xfe\x1b[2J"),
    _explained("nothing", b""),
    _explained("nested a hundred thousand deep", b"[" * 100_000),
    _explained("a number without end", b'{"event":{"id":"e","timestamp":' + b"9" * 100_000 + b"}}"),
    _case(
        "explain: a rule's name forges a line",
        "rules",
        "explain",
        "r.json",
        "e.json",
        codes=(DONE,),
        files={"r.json": _rules(EVERYTHING, value="*", action="clicked"), "e.json": _event()},
    ),
    _case("explain: the event is a folder", "rules", "explain", "keep-all", "."),
    _case("explain: an event without end", "rules", "explain", "keep-all", "/dev/zero"),
    _case("explain: both from standard input", "rules", "explain", "-", "-", stdin=_rules()),
)

CHECKED: Final = (
    *(
        _case(f"check: a file that is not there, {what}", "rules", "check", name)
        for what, name in {
            "with escapes": CLIPBOARD + CLEAR_SCREEN,
            "with a line break": FORGED,
            "with C1": C1_SEQUENCE,
            "reversed": REVERSED,
            "hidden": HIDDEN,
            "not UTF-8": NOT_UTF_8,
            "over-long": OVER_LONG,
            "empty": "",
            "markup": MARKUP,
        }.items()
    ),
    _case("check: a file called by an escape", "rules", "check", f"r{ESCAPE}[2J.json", codes=(DONE,),
          files={f"r{ESCAPE}[2J.json": _rules()}, must_appear=(b"\\u001b[2J",)),
    _case("check: a file called by what is not UTF-8", "rules", "check", f"r{NOT_UTF_8}.json", codes=(DONE,),
          files={f"r{NOT_UTF_8}.json": _rules()}, must_appear=(b"\\udcff",)),
    _case("check: an action with everything", "rules", "check", "r.json", files={"r.json": _rules(action=EVERYTHING)}),
    _case("check: a decision with everything", "rules", "check", "r.json", files={"r.json": _rules(then=EVERYTHING)}),
    _case("check: a key with everything", "rules", "check", "r.json",
          files={"r.json": json.dumps({EVERYTHING: 1, "rules": []}).encode()}),
    _case("check: YAML with raw control characters", "rules", "check", "r.yaml",
          files={"r.yaml": f"rules: [{CLEAR_SCREEN}{C1_SEQUENCE}]\n".encode()}),
    _case("check: no UTF-8", "rules", "check", "r.yaml", files={"r.yaml": b"rules: \xff\x9b2J"}),
    _case("check: a YAML tag that forges", "rules", "check", "r.yaml",
          files={"r.yaml": "rules: !x%0Aforged [\u202e]\n".encode()}),
    _case("diff: values and names with everything", "rules", "diff", "keep-all", "r.json", codes=(DONE,),
          files={"r.json": _rules(EVERYTHING, value=EVERYTHING)}),
)  # fmt: skip

COUNTED: Final = (
    _counted("kinds that steer"),
    _counted("a file called by markup", rules="[bold red]x[ .json"),
    _counted("a file called by closing markup", rules="[.json"),
    _counted("a file called by everything", rules=(CLIPBOARD + REVERSED + "\nforged: 1").replace("/", "")),
    _counted("a file called by what is not UTF-8", rules=NOT_UTF_8),
    _counted("a currency with everything", "--price", "1", "--currency", EVERYTHING),
    _counted("a currency that is not UTF-8", "--price", "1", "--currency", NOT_UTF_8, "--html", "page.html"),
    _counted("a page on a full disk", "--html", "/dev/full", codes=(FAILED,)),
    _counted("a page in a folder that is not there", "--html", "absent/page.html", codes=(FAILED,)),
    _counted("a page in place of a folder", "--html", ".", codes=(MISTAKE,)),
    _counted("a page called by everything", "--html", EVERYTHING.replace("/", "")[:100]),
    _counted("a page with an over-long name", "--html", OVER_LONG, codes=(FAILED, MISTAKE)),
    _counted("a page to standard error", "--html", "/dev/stderr"),
)

OPTIONS: Final = (
    *(
        _case(f"what-if: {option} {what}", "rules", "what-if", "keep-all", option, value)
        for option, values in {
            "--price": {"nan": "nan", "infinite": "1e999", "negative": "-1", "empty": "", "everything": EVERYTHING},
            "--exact-users": {"of many digits": MANY_DIGITS, "negative": "-1", "nan": "nan", "Arabic": "\u0661\u202e"},
            "--since": {
                "before 1970": "1969-12-31",
                "before 1970 as a span": "999999w",
                "at the beginning of time": "0001-01-01T00:00:00+23:59",
                "at the end of time": "9999-12-31T23:59:59-23:59",
                "in the future": "2999-01-01",
                "empty": "",
                "everything": EVERYTHING,
                "of many digits": MANY_DIGITS + "d",
            },
            "--from": {
                "absent": CLEAR_SCREEN,
                "over-long": OVER_LONG,
                "a folder": "/",
                "no more to read": "/proc/self/mem",
            },
            "--against": {"absent": EVERYTHING, "empty": "", "a folder": "."},
        }.items()
        for what, value in values.items()
    ),
    *(
        _case(f"traffic: {option} {_shortly(value)}", "traffic", option, value)
        for option, values in {
            "--rate": ("nan", "inf", "1e999", "-1", "1e308", CLEAR_SCREEN, ""),
            "--events": ("0", "-1", MANY_DIGITS, "9" * 4_000, "1e3", REVERSED),
            "--seed": (MANY_DIGITS, "9" * 4_000, "nan", NOT_UTF_8),
        }.items()
        for value in values
    ),
    *(
        _case(f"demo: {option} {_shortly(value)}", "demo", option, value)
        for option, values in {
            "--events": ("0", "1e999", MANY_DIGITS, "9" * 4_000, MARKUP),
            "--seed": (MANY_DIGITS, "9" * 4_000, EVERYTHING),
            "--preset": ("", MARKUP, EVERYTHING, OVER_LONG),
        }.items()
        for value in values
    ),
    *(
        _case(f"{' '.join(command)}: a word that is none, {what}", *command, word)
        for command in ((), ("worker",), ("topics", "check"), ("schemas", "check"), ("completion",), ("settings",))
        for what, word in {"everything": EVERYTHING, "not UTF-8": NOT_UTF_8, "option": f"--{CLIPBOARD}"}.items()
    ),
    _case("settings: a form with everything", "settings", "--format", EVERYTHING),
    _case("tracked-users: a file that is not there", "tracked-users", "import", EVERYTHING),
)

PRINTING: Final = (
    ("rules", "check", "keep-all"),
    ("rules", "diff", "keep-all", "engagement-only"),
    ("settings", "--format", "markdown"),
    ("--help",),
)
STREAMS: Final = tuple(
    _case(
        f"{' '.join(argv)}: standard output is {output}",
        *argv,
        output=output,
        codes=(DONE,) if output is Output.CLOSED else (FAILED,),
    )
    for argv in PRINTING
    for output in (Output.CLOSED, Output.FULL, Output.GONE)
)

OPERATOR_INPUTS: Final = (*EXPLAINED, *CHECKED, *COUNTED, *OPTIONS, *STREAMS)
