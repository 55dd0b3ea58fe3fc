"""The extras of this project: which modules they bring, and the sentence for a command that misses one of them."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec
from typing import Final

from pipeline.settings.mistakes import Mistake, SettingsError

_PROJECT: Final = "onesignal-pipeline"


class Extra(StrEnum):
    """An extra under which `pyproject.toml` lists optional packages."""

    DEMO = "demo"
    REGISTRY = "registry"
    WHAT_IF = "what-if"


_MODULES: Final = {
    Extra.DEMO: ("confluent_kafka",),
    Extra.REGISTRY: ("confluent_kafka", "attrs", "authlib", "cachetools", "certifi", "httpx2"),
    Extra.WHAT_IF: ("datasketches", "numpy"),
}


def missing_module(extra: Extra) -> str | None:
    """Return the first module of an extra that is not installed, or None. Imports none of them."""
    return next((name for name in _MODULES[extra] if find_spec(name) is None), None)


def missing_extra(extra: Extra, module: str, *, needed_by: str) -> str:
    """Return the sentence for an extra that is not installed; `module` is the one that was not found."""
    return (
        f"{needed_by} needs the extra `{extra}`, which is not installed (there is no module {module}): "
        f"pip install '{_PROJECT}[{extra}]'"
    )


def require_extra(extra: Extra, *, needed_by: str, fields: tuple[str, ...] = ()) -> None:
    """Return if an extra is installed.

    Raises:
        SettingsError: it is not; the text names the extra and how to install it.
    """
    if (module := missing_module(extra)) is not None:
        raise SettingsError((Mistake(fields=fields, text=missing_extra(extra, module, needed_by=needed_by)),))
