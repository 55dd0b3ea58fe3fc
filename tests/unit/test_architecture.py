from __future__ import annotations

import re
from pathlib import Path

import pipeline

PACKAGE = Path(pipeline.__file__).parent
MODULES = {path.relative_to(PACKAGE).as_posix(): path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}


def test_the_environment_is_read_in_one_place() -> None:
    reading = re.compile(r"\bos\.(environ|getenv)\b|from os import .*(environ|getenv)")
    assert [name for name, text in MODULES.items() if reading.search(text)] == ["cli/main.py"]


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
