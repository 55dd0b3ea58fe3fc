"""Read the files that decide what becomes of an event."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

from pipeline.core.mistakes import RulesError
from pipeline.core.names_file import parse_names
from pipeline.core.policy import Policy, Remembering
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.rules_file import parse_rules
from pipeline.settings.mistakes import Mistake, SettingsError, variable
from pipeline.stream.rules_reload import RulesSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline.settings.sections import Settings

_Parsed = TypeVar("_Parsed")


def build_policy(settings: Settings) -> Policy:
    """Build the policy of a processor.

    Raises:
        SettingsError: a rules or names file cannot be read or used; every mistake of both is listed.
    """
    mistakes: list[Mistake] = []
    rules = _read(settings.rules_file, "rules_file", parse_rules, mistakes)
    names = _read(settings.names_file, "names_file", parse_names, mistakes)
    if rules is None:
        rules = preset_rules(settings.rules_preset or Preset.KEEP_ALL)
    if rules.needs_tracked_users and settings.tracked_users_secret is None:
        text = f"{variable('tracked_users_secret')} is not set: `tracked_only` in {rules.filename} needs it."
        mistakes.append(Mistake(fields=("rules_file", "tracked_users_secret"), text=text))
    if mistakes:
        raise SettingsError(tuple(mistakes))
    return Policy(
        rules=rules,
        unknown_kinds=settings.unknown_kinds,
        anonymous_delivery=settings.anonymous_delivery,
        anonymous_engagement=settings.anonymous_engagement,
        name_profile=settings.name_profile,
        custom_names=names or {},
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


def _read(path: Path | None, field: str, parse: Callable[..., _Parsed], mistakes: list[Mistake]) -> _Parsed | None:
    """Parse a file that a setting names; note what is wrong with it."""
    if path is None:
        return None
    try:
        return parse(path.read_text(encoding="utf-8"), filename=str(path))
    except (OSError, UnicodeDecodeError) as error:
        mistakes.append(Mistake(fields=(field,), text=f"{variable(field)} is `{path}`, which cannot be read: {error}."))
    except RulesError as error:
        mistakes.extend(Mistake(fields=(field,), text=str(mistake)) for mistake in error.mistakes)
    return None
