"""Build a processor's policy from the rules and names files."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import structlog

from pipeline.core.mistakes import RulesError
from pipeline.core.names_file import parse_names
from pipeline.core.policy import Policy, StateOptions
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.rules_file import parse_rules
from pipeline.processor.rules_reload import RulesSource
from pipeline.settings.files import FileError, read_file, text_of
from pipeline.settings.mistakes import Mistake, SettingsError, variable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.bootstrap.destinations.row import DestinationRow
    from pipeline.processor.rules_reload import Read
    from pipeline.settings.sections import Settings

logger = structlog.get_logger(__name__)

_Parsed = TypeVar("_Parsed")


def build_policy(settings: Settings, destination: DestinationRow, read: Read = read_file) -> Policy:
    """Build the policy of a destination's processor; `read` returns the content of a file, or raises `FileError`.

    Raises:
        SettingsError: a rules or names file cannot be read or used; the first mistakes of both are listed.
    """
    own, mistakes = destination.section(settings), list[Mistake]()
    rules_file = own.setting("rules_file")
    rules = _parsed(own.rules_file, rules_file, read, parse_rules, mistakes)
    parse_own_names = partial(parse_names, reserved=destination.reserved_names)
    names = _parsed(own.names_file, own.setting("names_file"), read, parse_own_names, mistakes)
    if rules is None:
        rules = preset_rules(own.rules_preset or Preset.KEEP_ALL)
    if rules.needs_tracked_users and settings.tracked_users_secret is None:
        text = f"{variable('tracked_users_secret')} is not set: `tracked_only` in {rules.filename} needs it."
        mistakes.append(Mistake(fields=(rules_file, "tracked_users_secret"), text=text))
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return Policy(
        records=destination.build_records(settings, names or {}),
        rules=rules,
        unknown_kinds=settings.unknown_kinds,
        anonymous_delivery=own.anonymous_delivery,
        anonymous_engagement=own.anonymous_engagement,
        nobody_ids=nobody_ids(settings),
        state_options=StateOptions(
            month_start_day=destination.billing_month_start_day(settings),
            tracked_users=settings.tracked_users_secret is not None,
            catalogue_days=settings.message_catalogue_days if settings.message_catalogue else None,
        ),
    )


def nobody_ids(settings: Settings) -> frozenset[str]:
    """Return the words that stand for no user, in addition to the usual ones."""
    return frozenset(filter(None, settings.nobody_ids.split(",")))


def rules_source(settings: Settings, destination: DestinationRow) -> RulesSource:
    """Return which files are watched for changes, and how a policy is loaded from them."""
    own = destination.section(settings)
    named = [path for path in (own.rules_file, own.names_file) if path is not None]
    files = named if settings.rules_reload_seconds else ()
    return RulesSource(files=files, load=partial(build_policy, settings, destination))


def log_rules(policy: Policy, settings: Settings, destination: DestinationRow) -> None:
    """Log which rules a processor starts with, and their warnings."""
    own, rules = destination.section(settings), policy.rules
    if own.rules_file is None and own.rules_preset is None:
        file, preset = (variable(own.setting(field)) for field in ("rules_file", "rules_preset"))
        names = f"neither {file} nor {preset} is set: every event is kept"
        logger.info(names, rules_version=rules.version)
    else:
        logger.info("rules loaded", source=rules.filename, rules=len(rules.rules), rules_version=rules.version)
    for warning in rules.warnings:
        logger.warning(str(warning))


def _parsed(
    path: Path | None, field: str, read: Read, parse: Callable[..., _Parsed], mistakes: list[Mistake]
) -> _Parsed | None:
    """Parse a file that a setting names; mistakes are appended to the list."""
    if path is None:
        return None
    try:
        return parse(text_of(read(path)), filename=str(path))
    except FileError as error:
        mistakes.append(Mistake(fields=(field,), text=f"{variable(field)} is `{path}`, but {error}."))
    except RulesError as error:
        mistakes.extend(Mistake(fields=(field,), text=text) for text in error.texts())
    return None
