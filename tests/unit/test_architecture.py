from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(pipeline.__file__).parent
MODULES = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}


def test_the_environment_is_read_by_one_module() -> None:
    reading = re.compile(r"\bos\.(environ|getenv)\b|from os import .*(environ|getenv)")
    assert [name for name, text in MODULES.items() if reading.search(text)] == ["cli/main.py"]


_PRINTING = {"stdout", "stderr", "print", "Console", "render", "echo", "secho"}


def _ways_out(module: str) -> Iterator[str]:
    """Return the calls by which a module would print without `pipeline.output`."""
    for node in ast.walk(ast.parse(module)):
        match node:
            case ast.Call(func=ast.Name(id="print" | "Console" | "Text" as name)):
                yield name
            case ast.Call(func=ast.Attribute(attr="Console" | "Text" | "from_markup" | "print_exception" as name)):
                yield name
            case ast.Attribute(value=ast.Name(id="click"), attr="echo" | "secho" | "echo_via_pager" as name):
                yield name
            case ast.Call(func=ast.Attribute(value=ast.Name(id="error"), attr="show" as name)):
                yield name
            case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr" | "__stdout__" as name):
                yield f"sys.{name}"
            case ast.ImportFrom(module="sys" | "click" | "rich" | "rich.console" | "rich.markup" as source) if (
                names := {alias.name for alias in node.names} & _PRINTING
            ):
                yield f"{source}: {sorted(names)}"
            case _:
                pass


def test_there_is_one_way_out_for_what_commands_print() -> None:
    """`logs` writes log lines, and `main` and `own_loop` prepare and flush the streams."""
    found = {name: sorted(set(_ways_out(text))) for name, text in MODULES.items() if not name.startswith("output/")}
    assert {name: ways for name, ways in found.items() if ways} == {
        "cli/main.py": ["sys.stderr", "sys.stdout"],
        "logs.py": ["sys.stderr"],
        "runtime/own_loop.py": ["sys.stderr"],
    }


@pytest.mark.parametrize(
    "text",
    [
        "print(x)",
        "click.echo(x)",
        "from click import secho",
        "sys.stdout.write(x)",
        "from sys import stdout",
        "from rich.console import Console\nConsole().print(x)",
        "rich.console.Console().print(x)",
        "from rich import print",
        "Text.from_markup(x)",
        "error.show()",
    ],
)
def test_every_other_way_out_is_noticed(text: str) -> None:
    assert list(_ways_out(text))


def test_no_module_is_above_400_lines() -> None:
    assert {name: text.count("\n") for name, text in MODULES.items() if text.count("\n") > 400} == {}


def test_an_init_holds_a_docstring_and_public_names_at_most() -> None:
    code = re.compile(r"^(def|class|if|for|try|with)\b", re.MULTILINE)
    assert [name for name, text in MODULES.items() if name.endswith("__init__.py") and code.search(text)] == []


def test_every_folder_of_the_package_is_a_package() -> None:
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert [folder.name for folder in folders if not (folder / "__init__.py").exists()] == []


def test_banned_names_are_not_used() -> None:
    banned = {"utils", "helpers", "common", "misc", "manager", "handler", "data", "info"}
    assert [name for name in MODULES if banned & set(re.split(r"[/_.]", name))] == []


_ROOMS_OF_EVERY_DESTINATION = ("delivery", "kafka", "processor", "runtime", "state", "stream")
_OF_KAFKA = "segment.bytes"
"""Kafka's own name of a topic setting."""


def _vendors_named_in(text: str) -> set[str]:
    return set(re.findall("segment|mixpanel", text.lower().replace(_OF_KAFKA, "")))


@pytest.mark.parametrize("room", _ROOMS_OF_EVERY_DESTINATION)
def test_a_room_that_serves_every_destination_names_none(room: str) -> None:
    modules = {name: text for name, text in MODULES.items() if name.startswith(f"{room}/")}
    assert modules
    assert {name: found for name, text in modules.items() if (found := _vendors_named_in(text))} == {}


@pytest.mark.parametrize("text", ["class SegmentStep:", "mixpanel_records", 'topic = "segment.records"', "# MIXPANEL"])
def test_a_vendor_is_found_in_any_name_and_text(text: str) -> None:
    assert _vendors_named_in(text)
