"""`rules what-if` and `rules diff`: what rules would cost, and what changes between two sets of them."""

from __future__ import annotations

import asyncio
import os
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG
from typing import IO, TYPE_CHECKING, Any, Final

import click

from pipeline.cli.context import Invocation, pass_invocation
from pipeline.cli.destinations import destinations_option
from pipeline.cli.numbers import MOST
from pipeline.cli.rules_source import RulesSource, read_rules
from pipeline.core.presets import Preset
from pipeline.output.files import FileNotWrittenError, write_whole
from pipeline.output.printing import say, say_error
from pipeline.settings.choices import Requirement
from pipeline.settings.extras import Extra, require_extra
from pipeline.settings.mistakes import variable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.core.classification import Destination
    from pipeline.output.console import TerminalConsole
    from pipeline.settings.sections import Settings
    from pipeline.tools.what_if.counting import Count
    from pipeline.tools.what_if.findings import Findings
    from pipeline.tools.what_if.prices import Prices
    from pipeline.tools.what_if.tally import RuleSet

_STANDARD_INPUT: Final = "-"
_PLAIN_WIDTH: Final = 1_000
_SPAN: Final = re.compile(r"([0-9]{1,6})([mhdw])", re.ASCII)
_SECONDS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class _Since(click.ParamType):
    """A time: a span before now, or a date; in milliseconds since the epoch."""

    name = "7d|DATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the time of `90m`, `12h`, `7d`, `2w` or ISO 8601, which is UTC if it has no zone."""
        now = time.time()
        seconds = self._seconds(value, now, param, ctx)
        if seconds < 0:
            self.fail(
                f"`{value}` is before 1970, the first time in Kafka; leave it out to read everything",
                param,
                ctx,
            )
        if seconds > now:
            self.fail(f"`{value}` is in the future; dates without a zone are UTC", param, ctx)
        return round(seconds * 1000)

    def _seconds(self, value: str, now: float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if span := _SPAN.fullmatch(value):
            return now - int(span[1]) * _SECONDS[span[2]]
        try:
            given = datetime.fromisoformat(value)
            return (given if given.tzinfo else given.replace(tzinfo=UTC)).timestamp()
        except (ValueError, OverflowError):
            words = f"`{value}` is not a time; give a span such as `7d` or `12h`, or a date such as `2026-01-31`"
            self.fail(words, param, ctx)


class _Price(click.ParamType):
    """A price for each MTU or event, or tiers of them."""

    name = "PRICE"

    def __init__(self, *, of_events: bool = False) -> None:
        self._of_events = of_events

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the prices in `0.01` or `0:0.012,25000:0.01`."""
        from pipeline.tools.what_if.prices import Unit, parse_prices

        try:
            return parse_prices(value, unit=Unit.EVENT if self._of_events else Unit.MTU)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.argument("old", metavar="OLD", type=RulesSource())
@click.argument("new", metavar="NEW", type=RulesSource())
def diff(old: str, new: str) -> None:
    """Show in words what changes from the rules in OLD to NEW.

    The changes are listed rule by rule, and by their effect. Each is a file or the name of a preset; one of them may be
    `-`, standard input.
    """
    from pipeline.tools.rules_diff import differences

    _only_once([old, new])
    say(*differences(read_rules(old, parameter="OLD"), read_rules(new, parameter="NEW")))


@click.command()
@click.argument("file", metavar="FILE", type=RulesSource())
@destinations_option
@click.option(
    "--against",
    multiple=True,
    type=RulesSource(),
    metavar="FILE|PRESET",
    help="Rules to compare with; the first is the baseline. Repeatable. Default: keep-all.",
)
@click.option("--since", type=_Since(), help="How far back to read: 12h, 7d, 2026-01-31. Default: the whole topic.")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True),
    metavar="FILE|-",
    help="Read JSON lines instead of the raw topic: events, messages with key, timestamp and value, or kcat -J.",
)
@click.option(
    "--html", type=click.Path(dir_okay=False, writable=True), metavar="FILE", help="Write a page with charts."
)
@click.option(
    "--price",
    type=_Price(),
    help="Price of an MTU: 0.01, or tiers 0:0.012,25000:0.01 (above 25,000 users each costs 0.01).",
)
@click.option(
    "--price-event",
    type=_Price(of_events=True),
    help="Price of an event under Mixpanel's event plans, such as 0.00028, or tiers.",
)
@click.option("--currency", default="", metavar="TEXT", help="Shown after amounts, such as USD.")
@click.option(
    "--exact-users",
    type=click.IntRange(min=0, max=MOST),
    default=2_000_000,
    show_default=True,
    help="Above this number of distinct users, counts are estimates with a stated error.",
)
@pass_invocation
def what_if(
    invocation: Invocation,
    *,
    file: str,
    destinations: tuple[DestinationRow, ...],
    against: tuple[str, ...],
    since: int | None,
    source: str | None,
    html: str | None,
    price: Prices | None,
    price_event: Prices | None,
    currency: str,
    exact_users: int,
) -> None:
    """Show what the rules in FILE would cost, in MTUs, events and money.

    Applies the rules to your own traffic: to the raw topic, without any effect on live workers and their offsets, or to
    JSON lines. FILE may also be the name of a preset. The processor's other settings are read from the environment.

    Needs the extra `what-if`: pip install 'onesignal-pipeline[what-if]'.
    """
    require_extra(Extra.WHAT_IF, needed_by="`rules what-if`")
    from pipeline.bootstrap.what_if import build_count, count_topic
    from pipeline.output.console import TerminalConsole
    from pipeline.tools.what_if.tables import print_findings

    if since is not None and source is not None:
        raise click.UsageError("--since goes with the raw topic, not with --from.")
    charges = _charges(destinations, price, price_event, currency)
    _only_once([file, *against, source])
    sets, everything = _rule_sets(file, against)
    settings = _settings(invocation, destinations, kafka=source is None)
    count = build_count(settings, destinations, sets, everything, exact_users=exact_users)
    errors = TerminalConsole(stderr=True)
    if source is None:
        findings = asyncio.run(count_topic(settings, count, errors, since_ms=since))
    else:
        findings = asyncio.run(_count_file(source, count, errors))
    print_findings(TerminalConsole.of_output(plain_width=_PLAIN_WIDTH), findings, charges)
    if html is not None:
        _write_page(html, findings, charges)


def _charges(
    rows: Sequence[DestinationRow], price: Prices | None, price_event: Prices | None, currency: str
) -> Mapping[Destination, Prices]:
    """Return the prices at each destination: of events where it has an event plan and they have a price, else of MTUs.

    Raises:
        UsageError: an option has no effect.
    """
    from dataclasses import replace

    from pipeline.core.classification import Destination
    from pipeline.tools.what_if.accounts import BILLS

    asked = [Destination(row.name) for row in rows]
    with_events = [each for each in asked if BILLS[each].has_event_plan]
    if currency and price is None and price_event is None:
        raise click.UsageError("--currency goes with --price or --price-event.")
    if price_event is not None and not with_events:
        raise click.UsageError("--price-event goes with --destination mixpanel: Segment bills users, not events.")
    if price is not None and price_event is not None and with_events == asked:
        raise click.UsageError("--price does not go with --price-event here: a plan bills either users or events.")
    found = {each: price_event if price_event and each in with_events else price for each in asked}
    return {each: replace(prices, currency=currency) for each, prices in found.items() if prices is not None}


def _only_once(files: Sequence[str | None]) -> None:
    if files.count(_STANDARD_INPUT) > 1:
        raise click.UsageError("`-` is given twice, and standard input is read once.")


def _rule_sets(file: str, against: Sequence[str]) -> tuple[list[RuleSet], RuleSet]:
    """Return the rule sets in order, baseline first and FILE last, and the one that keeps everything."""
    from pipeline.tools.what_if.tally import RuleSet

    everything = RuleSet(name=Preset.KEEP_ALL.value, rules=read_rules(Preset.KEEP_ALL))
    others = [name for name in dict.fromkeys(against) if name != Preset.KEEP_ALL]
    called = _names([*others, file])
    compared = [RuleSet(name=called[name], rules=read_rules(name, parameter="--against")) for name in others]
    asked = [] if file in {Preset.KEEP_ALL, *others} else [RuleSet(name=called[file], rules=read_rules(file))]
    is_first = not against or against[0] == Preset.KEEP_ALL
    ordered = [everything, *compared] if is_first else [compared[0], everything, *compared[1:]]
    return [*ordered, *asked], everything


def _names(files: Sequence[str]) -> dict[str, str]:
    """Return a short name for each file: the last part of its path, if it is unique."""
    last = [Path(file).name for file in files]
    short = {file: name if last.count(name) == 1 else file for file, name in zip(files, last, strict=True)}
    return short | {_STANDARD_INPUT: "standard input"}


def _settings(invocation: Invocation, rows: Sequence[DestinationRow], *, kafka: bool) -> Settings:
    from pipeline.bootstrap import policy_mistakes_of, registry_mistakes, schema_mistakes, tls_mistakes

    replaced = {variable(row.settings.setting(field)) for row in rows for field in ("rules_file", "rules_preset")}
    others = {name: value for name, value in invocation.environment.items() if name not in replaced}
    requirements = [Requirement.KAFKA] if kafka else []
    policies = [policy_mistakes_of(row) for row in rows]
    checks = [*policies, schema_mistakes, *([tls_mistakes, registry_mistakes] if kafka else [])]
    return Invocation(environment=others).settings(requirements, checks)


async def _count_file(name: str, count: Count, errors: TerminalConsole) -> Sequence[Findings]:
    from pipeline.tools.what_if.lines import LinesSource, UnusableLinesError
    from pipeline.tools.what_if.run import count_all

    with click.open_file(name, "rb") as opened:
        file: IO[bytes] = opened
        title = "standard input" if name == _STANDARD_INPUT else name
        try:
            return await count_all(LinesSource(file, title=title, total=_size(file)), count, errors)
        except UnusableLinesError as error:
            raise click.BadParameter(f"{title}: {error}", param_hint="--from") from error


def _size(file: IO[bytes]) -> int | None:
    """Return the size of a file; None if it is unknown, such as for a pipe."""
    try:
        status = os.fstat(file.fileno())
    except OSError:
        return None
    return status.st_size if S_ISREG(status.st_mode) else None


def _write_page(path: str, findings: Sequence[Findings], charges: Mapping[Destination, Prices]) -> None:
    from pipeline.tools.what_if.page import page

    try:
        write_whole(path, page(findings, charges, written_at=datetime.now(UTC)))
    except FileNotWrittenError as error:
        raise click.ClickException(str(error)) from error
    say_error(f"written: {path}")
