"""`rules`: check a rules file, and explain its decision about an event; the other commands are in `what_if`."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, cast

import click
import orjson

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.cli.destinations import destination_option
from pipeline.cli.rules_source import RulesSource, read_rules
from pipeline.cli.what_if import diff, what_if
from pipeline.core.events import Event, decode
from pipeline.core.ids import EmptyReason
from pipeline.core.kinds import Category
from pipeline.core.outcomes import Deliver, Drop, DropReason, Reject, RejectReason
from pipeline.core.policy import UnknownKinds
from pipeline.core.processing import State, process
from pipeline.core.rules import Verdict
from pipeline.core.timestamps import TimeSource, time_source
from pipeline.core.tracking import BEFORE_THE_LOG
from pipeline.output.printing import say
from pipeline.settings.files import FileError, limited, unreadable
from pipeline.settings.mistakes import variable
from pipeline.tools.what_if.lines import MOST_LINE_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.core.filters import Rules
    from pipeline.core.ids import IgnoredId
    from pipeline.core.kinds import Kind
    from pipeline.core.outcomes import Outcome
    from pipeline.core.policy import Policy
    from pipeline.settings.destination_section import DestinationSettings

_NANOSECONDS_PER_MILLISECOND: Final = 1_000_000
_STANDARD_INPUT: Final = "-"
_SHOWN: Final = 60
_ANONYMOUS: Final = {Category.DELIVERY: "anonymous_delivery", Category.ENGAGEMENT: "anonymous_engagement"}


class _EventFile(click.File):
    """The file of an event, which cannot be standard input when the rules are."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == _STANDARD_INPUT and ctx is not None and ctx.params.get("file") == _STANDARD_INPUT:
            self.fail("FILE is `-` already, and standard input is read once.", param, ctx)
        return super().convert(value, param, ctx)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """An event from a file, as a Kafka message."""

    value: bytes
    timestamp: int
    topic: str = "file"
    partition: int = 0
    offset: int = 0
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


class _EverybodyTracked:
    """Treats every user as tracked before, so that the record of a `tracked_only` event can be shown."""

    def marked_at(self, user_key: bytes, timestamp_ms: int) -> int:
        """Return that an earlier message marked the user (`pipeline.core.tracking.TrackedUsers`)."""
        del user_key, timestamp_ms
        return BEFORE_THE_LOG

    def mark_of(self, user_key: bytes, timestamp_ms: int, offset: int) -> None:
        """Do nothing: no user needs a mark."""


@click.group()
def rules() -> None:
    """Check filter rules, test them, and show their cost."""


rules.add_command(what_if)
rules.add_command(diff)


@rules.command()
@click.argument("file", metavar="FILE", type=RulesSource())
def check(file: str) -> None:
    """Check a rules FILE, and list every mistake with its line.

    `-` is standard input.
    """
    parsed = read_rules(file)
    counted = "1 rule" if len(parsed.rules) == 1 else f"{len(parsed.rules)} rules"
    say(f"{parsed.filename}: {counted}, default {parsed.default}, version {parsed.version}")


@rules.command()
@click.argument("file", metavar="FILE", type=RulesSource())
@click.argument("event", metavar="EVENT.json", type=_EventFile("rb"))
@destination_option
@pass_invocation
def explain(invocation: Invocation, file: str, event: click.utils.LazyFile, destination: DestinationRow) -> None:
    """Show which rule of FILE matches the event in EVENT.json.

    Shows the resulting record too. FILE may also be the name of a preset, and one of the two may be `-`, standard
    input. The processor's other settings are read from the environment.
    """
    from pipeline.bootstrap import build_policy, policy_mistakes_of

    parsed = read_rules(file)
    replaced = {variable(destination.settings.setting(field)) for field in ("rules_file", "rules_preset")}
    others = {name: value for name, value in invocation.environment.items() if name not in replaced}
    settings = Invocation(environment=others).settings(checks=[policy_mistakes_of(destination)])
    policy = dataclasses.replace(build_policy(settings, destination), rules=parsed)
    stored_at = time.time_ns() // _NANOSECONDS_PER_MILLISECOND
    candidate = _Candidate(value=_read(event), timestamp=stored_at)
    outcome = process(candidate, policy, State(_EverybodyTracked()))
    say(*_explanation(outcome, policy, candidate, destination.settings))


def _read(event: click.utils.LazyFile) -> bytes:
    try:
        return limited(cast("IO[bytes]", event), MOST_LINE_BYTES)
    except (OSError, FileError) as error:
        raise click.BadParameter(str(unreadable(error)), param_hint="EVENT.json") from error


def _ignored(ids: Sequence[IgnoredId]) -> Iterator[str]:
    """List the ids that were ignored, and why; an id that may identify a person is not shown."""
    for each in ids:
        text = "(not shown)" if each.reason is EmptyReason.PERSONAL else _shortly(each.text)
        yield f"ignored   {each.path} {text}: {each.reason}"


def _time_source(candidate: _Candidate) -> TimeSource:
    event = decode(candidate.value)
    facts = event.event if isinstance(event, Event) else None
    timestamp, datetime = (facts.timestamp, facts.datetime) if facts is not None else (None, None)
    return time_source(timestamp, datetime, candidate.timestamp)


def _shortly(text: str) -> str:
    shown = orjson.dumps(text).decode()
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"


def _explanation(
    outcome: Outcome, policy: Policy, candidate: _Candidate, own: type[DestinationSettings]
) -> Iterator[str]:
    yield f"kind      {_kind(outcome.kind)}"
    yield from _ignored(outcome.ignored)
    if outcome.kind is not None and not isinstance(outcome, Reject):
        yield f"mtu       {policy.records.mtu_class(outcome.kind)}"
    match outcome:
        case Deliver(user_key=user_key, record=record, rule=rule):
            yield f"outcome   delivered{_condition(rule, policy.rules)}"
            yield f"decided   {_decider(rule, policy.rules)}"
            yield f"user key  {user_key.decode()}"
            yield f"time      from {_time_source(candidate)}"
            yield f"record    {len(record)} bytes"
            yield from orjson.dumps(orjson.loads(record), option=orjson.OPT_INDENT_2).decode().split("\n")
        case Drop(reason=reason, rule=rule):
            yield f"outcome   dropped: {reason}"
            yield f"decided   {_setting(outcome, policy, own) or _decider(rule, policy.rules)}"
        case Reject(reason=reason):
            yield f"outcome   rejected: {reason}; it would become a dead letter"
            if setting := _setting(outcome, policy, own):
                yield f"decided   {setting}"
    for shadow in () if isinstance(outcome, Reject) else outcome.shadows:
        yield f"shadow    {_decider(shadow, policy.rules)}, if it were not a shadow rule"


def _setting(outcome: Drop | Reject, policy: Policy, own: type[DestinationSettings]) -> str | None:
    """Return the setting that decided, if it was not a rule."""
    match outcome.reason:
        case DropReason.ANONYMOUS | RejectReason.ANONYMOUS if outcome.kind is not None:
            field = _ANONYMOUS[outcome.kind.category]
            return f"{variable(own.setting(field))}={getattr(policy, field)}: the event has no external id"
        case RejectReason.UNKNOWN_KIND if policy.unknown_kinds is UnknownKinds.REJECT:
            return f"{variable('unknown_kinds')}={policy.unknown_kinds}"
        case _:
            return None


def _kind(kind: Kind | None) -> str:
    if kind is None:
        return "not given in the event"
    known = "" if kind.known else ", not a known kind"
    return f"{kind.name} ({kind.channel}, {kind.action}, {kind.category}{known})"


def _condition(index: int | None, parsed: Rules) -> str:
    decision = parsed.default if index is None else parsed.rules[index].then
    if decision.verdict is Verdict.TRACKED_ONLY:
        return " if its user was tracked this month before, else dropped: not_tracked"
    return ""


def _decider(index: int | None, parsed: Rules) -> str:
    if index is None:
        return f"{parsed.filename}: no rule matches, so the default applies: {parsed.default}"
    rule = parsed.rules[index]
    line = "" if rule.line is None else f":{rule.line}"
    name = "" if rule.name is None else f" `{rule.name}`"
    return f"{parsed.filename}{line}: rule {index + 1}{name}: {rule.then}"
