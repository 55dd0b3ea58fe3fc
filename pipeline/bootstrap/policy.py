"""Read the files that decide what becomes of an event."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from pipeline.core.destinations.segment.builders import SegmentRecords
from pipeline.core.mistakes import RulesError
from pipeline.core.names_file import parse_names
from pipeline.core.policy import Policy, Remembering
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.rules_file import parse_rules
from pipeline.processor.rules_reload import RulesSource
from pipeline.settings.files import FileError, read_file, text_of
from pipeline.settings.mistakes import Mistake, SettingsError, variable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.processor.rules_reload import Read
    from pipeline.settings.sections import Settings

_Parsed = TypeVar("_Parsed")


def build_policy(settings: Settings, read: Read = read_file) -> Policy:
    """Build the policy of a processor; `read` returns what a file holds, or raises `FileError`.

    Raises:
        SettingsError: a rules or names file cannot be read or used; the first mistakes of both are listed.
    """
    mistakes: list[Mistake] = []
    rules = _parsed(settings.rules_file, "rules_file", read, parse_rules, mistakes)
    names = _parsed(settings.names_file, "names_file", read, parse_names, mistakes)
    if rules is None:
        rules = preset_rules(settings.rules_preset or Preset.KEEP_ALL)
    if rules.needs_tracked_users and settings.tracked_users_secret is None:
        text = f"{variable('tracked_users_secret')} is not set: `tracked_only` in {rules.filename} needs it."
        mistakes.append(Mistake(fields=("rules_file", "tracked_users_secret"), text=text))
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return Policy(
        records=SegmentRecords(name_profile=settings.name_profile, custom_names=names or {}),
        rules=rules,
        unknown_kinds=settings.unknown_kinds,
        anonymous_delivery=settings.anonymous_delivery,
        anonymous_engagement=settings.anonymous_engagement,
        nobody_ids=nobody_ids(settings),
        remembering=Remembering(
            month_start_day=settings.billing_month_start_day,
            tracked_users=settings.tracked_users_secret is not None,
            catalogue_days=settings.message_catalogue_days if settings.message_catalogue else None,
        ),
    )


def nobody_ids(settings: Settings) -> frozenset[str]:
    """Return the words that stand for no user, beside the usual ones."""
    return frozenset(filter(None, settings.nobody_ids.split(",")))


def rules_source(settings: Settings) -> RulesSource:
    """Tell which files are to be looked at again, and how a policy is made of them."""
    named = [path for path in (settings.rules_file, settings.names_file) if path is not None]
    files = named if settings.rules_reload_seconds else ()
    return RulesSource(files=files, load=partial(build_policy, settings))


def _parsed(
    path: Path | None, field: str, read: Read, parse: Callable[..., _Parsed], mistakes: list[Mistake]
) -> _Parsed | None:
    """Parse a file that a setting names; note what is wrong with it."""
    if path is None:
        return None
    try:
        return parse(text_of(read(path)), filename=str(path))
    except FileError as error:
        mistakes.append(Mistake(fields=(field,), text=f"{variable(field)} is `{path}`, but {error}."))
    except RulesError as error:
        mistakes.extend(Mistake(fields=(field,), text=text) for text in error.texts())
    return None
