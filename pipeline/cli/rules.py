"""`rules`: check a rules file, and see what it does to an event."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click
import orjson

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.core.outcomes import Deliver, Drop, Reject
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.processing import STATELESS, process

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.core.filters import Rules
    from pipeline.core.kinds import Kind
    from pipeline.core.outcomes import Outcome

_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000
_Bytes = click.File("rb")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """An event from a file, as a message of Kafka."""

    value: bytes
    timestamp: int
    topic: str = "file"
    partition: int = 0
    offset: int = 0
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


@click.group()
def rules() -> None:
    """Check filter rules, and try them on an event."""


@rules.command()
@click.argument("file", metavar="FILE")
def check(file: str) -> None:
    """Check a rules FILE, and list every mistake with its line; `-` is standard input."""
    parsed = _rules(file)
    click.echo(f"{parsed.filename}: {len(parsed.rules)} rules, default {parsed.default}, version {parsed.version}")


@rules.command()
@click.argument("file", metavar="FILE")
@click.argument("event", metavar="EVENT.json", type=_Bytes)
@pass_invocation
def explain(invocation: Invocation, file: str, event: click.utils.LazyFile) -> None:
    """Say which rule of FILE decides about the event in EVENT.json, and show the record that comes of it.

    FILE may also be the name of a preset. Other settings of the processor are taken from the environment.
    """
    from pipeline.bootstrap import build_policy

    parsed = _rules(file)
    policy = dataclasses.replace(build_policy(invocation.settings()), rules=parsed)
    stored_at = time.time_ns() // _NANOSECONDS_PER_MILLISECOND
    outcome = process(_Candidate(value=event.read(), timestamp=stored_at), policy, STATELESS)
    for line in _explanation(outcome, parsed):
        click.echo(line)


def _rules(file: str) -> Rules:
    """Read rules from a file, or take those of a preset; what can never match is told on standard error."""
    from pipeline.core.rules_file import parse_rules

    if file in set(Preset):
        return preset_rules(Preset(file))
    try:
        with click.open_file(file, "rb") as opened:
            text = opened.read().decode()
    except OSError as error:
        raise click.BadParameter(f"{file}: {error.strerror}", param_hint="FILE") from error
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"{file}: no UTF-8 text, from byte {error.start} on", param_hint="FILE") from error
    parsed = parse_rules(text, filename=file)
    for warning in parsed.warnings:
        click.echo(f"warning: {warning}", err=True)
    return parsed


def _explanation(outcome: Outcome, parsed: Rules) -> Iterator[str]:
    yield f"kind      {_kind(outcome.kind)}"
    match outcome:
        case Deliver(user_key=user_key, record=record, rule=rule):
            yield "outcome   delivered"
            yield f"decided   {_decider(rule, parsed)}"
            yield f"user key  {user_key.decode()}"
            yield f"record    {len(record)} bytes"
            yield orjson.dumps(orjson.loads(record), option=orjson.OPT_INDENT_2).decode()
        case Drop(reason=reason, rule=rule):
            yield f"outcome   dropped: {reason}"
            yield f"decided   {_decider(rule, parsed)}"
        case Reject(reason=reason):
            yield f"outcome   rejected: {reason}; it would become a dead letter"


def _kind(kind: Kind | None) -> str:
    if kind is None:
        return "not told by the event"
    known = "" if kind.known else ", not a known kind"
    return f"{kind.name} ({kind.channel}, {kind.action}, {kind.category}{known})"


def _decider(index: int | None, parsed: Rules) -> str:
    if index is None:
        return f"{parsed.filename}: no rule matches, so the default counts: {parsed.default}"
    rule = parsed.rules[index]
    line = "" if rule.line is None else f":{rule.line}"
    name = "" if rule.name is None else f" `{rule.name}`"
    return f"{parsed.filename}{line}: rule {index + 1}{name}: {rule.then}"
