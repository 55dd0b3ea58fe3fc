"""The rules that an argument names: a file, or a preset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import CompletionItem

from pipeline.core.presets import Preset, preset_rules
from pipeline.core.visible import visible
from pipeline.output.printing import say_error
from pipeline.settings.masking import presentable

if TYPE_CHECKING:
    from pipeline.core.filters import Rules


class RulesSource(click.ParamType):
    """A rules file, or the name of a preset."""

    name = "rules"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002 click's signature
        """Offer presets, and files that a shell can show: shells offer no files when they get other words."""
        presets = [preset for preset in Preset if preset.startswith(incomplete)]
        if not presets:
            return [CompletionItem(incomplete, type="file")]
        shown = (path for path in Path().iterdir() if path.name == visible(path.name) and not path.name.startswith("."))
        files = sorted(path.name + "/" * path.is_dir() for path in shown)
        return [CompletionItem(word) for word in (*presets, *(file for file in files if file.startswith(incomplete)))]


def read_rules(file: str, *, parameter: str = "FILE") -> Rules:
    """Return the rules of a file or a preset; rules that can never match are reported on standard error.

    The file may be a pipe, such as `<(git show HEAD:rules.yaml)`, so there is no deadline: the user can interrupt.
    """
    from pipeline.core.rules_file import parse_rules
    from pipeline.settings.files import FileError, text_of

    if file in set(Preset):
        return preset_rules(Preset(file))
    try:
        text = text_of(read_argument(file))
    except FileError as error:
        raise click.BadParameter(f"{presentable(file, is_path=True)}: {error}", param_hint=parameter) from error
    parsed = parse_rules(text, filename=file)
    for warning in parsed.warnings:
        say_error(f"warning: {warning}")
    return parsed


def read_argument(file: str) -> bytes:
    """Return the content of a file, a pipe or standard input (`-`).

    Raises:
        FileError: it cannot be read, or is larger than any rules or event may be.
    """
    from pipeline.settings.files import MOST_FILE_BYTES, limited, unreadable

    try:
        with click.open_file(file, "rb") as opened:
            return limited(opened, MOST_FILE_BYTES)
    except (OSError, ValueError) as error:
        raise unreadable(error) from error
