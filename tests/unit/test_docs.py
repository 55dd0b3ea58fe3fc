"""What README and the pages of docs/ name exists, and their lists are complete."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Final

import pytest

import pipeline
from pipeline.bootstrap.destinations.table import DESTINATIONS
from pipeline.cli.main import ExitCode, cli
from pipeline.core.presets import Preset
from pipeline.core.rules import Condition
from pipeline.core.rules_file import parse_rules
from pipeline.settings.mistakes import variable
from pipeline.settings.sections import FIELDS
from tests.metrics_catalogue import catalogue
from tests.settings_page import FILE as SETTINGS
from tests.settings_page import with_settings

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
README: Final = ROOT / "README.md"
PAGES: Final = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in (README, ROOT / "pipeline" / "README.md", *sorted(DOCS.rglob("*.md")))
}
TEXT: Final = "\n".join(PAGES.values())
MOST_LINES: Final = 150
FOLDERS: Final = "deploy|docs|pipeline|requirements|schemas|tests"
GENERATED: Final = "build/"


def test_the_settings_are_those_of_the_code() -> None:
    text = SETTINGS.read_text(encoding="utf-8")
    assert with_settings(text) == text, "run `make docs`"


def test_the_readme_is_short() -> None:
    assert len(PAGES["README.md"].splitlines()) <= MOST_LINES


INTRODUCTIONS: Final = {
    "README.md": PAGES["README.md"].partition("## ")[0],
    "pipeline/README.md": PAGES["pipeline/README.md"].partition("## ")[0],
    "docs/index.md": PAGES["docs/index.md"].partition("## ")[0],
    "mkdocs.yml": re.findall(
        r"^site_description: (.*)$", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), re.MULTILINE
    )[0],
    "pyproject.toml": tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["description"],
    "the package": pipeline.__doc__ or "",
    "the program": cli.help or "",
}


@pytest.mark.parametrize("text", INTRODUCTIONS.values(), ids=list(INTRODUCTIONS))
def test_every_introduction_names_every_destination(text: str) -> None:
    assert [row.name for row in DESTINATIONS.values() if row.name.capitalize() not in text] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_variable_in_the_text_is_a_setting(page: str) -> None:
    named = set(re.findall(r"\bPIPELINE_[A-Z_]+[A-Z]\b", PAGES[page]))
    known = {variable(field) for field in FIELDS}
    assert named - known <= {f"{name}_FILE" for name in known}


@pytest.mark.parametrize("page", PAGES)
def test_every_metric_in_the_text_is_in_the_catalogue(page: str) -> None:
    named = set(re.findall(r"\bonesignal_pipeline_[a-z_]+[a-z]\b", PAGES[page]))
    assert named <= {metric.name for metric in catalogue()}


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL))
def test_every_rules_example_is_valid_and_each_of_its_rules_can_match(example: str) -> None:
    assert parse_rules(example, filename="README.md").warnings == ()


def test_every_command_in_the_text_exists() -> None:
    named = set(
        re.findall(r"onesignal-pipeline ([a-z]+(?:-[a-z]+)*)", TEXT.replace("helm install onesignal-pipeline", ""))
    )
    assert named <= set(cli.commands)
    assert named >= set(cli.commands)


@pytest.mark.parametrize("page", ["README.md", "docs/rules/index.md"])
def test_every_preset_is_described(page: str) -> None:
    assert [preset for preset in Preset if f"`{preset}`" not in PAGES[page]] == []


def test_every_condition_and_exit_code_is_described() -> None:
    rules = PAGES["docs/rules/index.md"]
    assert [condition for condition in Condition if f"`{condition}`" not in rules] == []
    exit_codes = PAGES["docs/operate/troubleshooting.md"].partition("Exit codes:")[2].partition("\n\n")[0]
    assert [code for code in ExitCode if f" {code.value} " not in exit_codes] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_as_code_is_there(page: str) -> None:
    """Links to files outside docs/ would fail the site's build, so pages name them as code, from the root."""
    named = set(re.findall(rf"`((?:{FOLDERS})/[^`\s]*)`", PAGES[page]))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_section_that_a_message_of_the_program_names_is_there() -> None:
    modules = [ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "pipeline").rglob("*.py")]
    texts = [str(node.value) for module in modules for node in ast.walk(module) if isinstance(node, ast.Constant)]
    named = {found for text in texts for found in re.findall(r"(docs/[a-z/]+\.md), ([A-Z][a-z ]+)", text)}
    assert len(named) >= 3
    assert [(page, section) for page, section in named if f"## {section}\n" not in PAGES[page]] == []


def test_every_make_target_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"`make ([a-z-]+)", TEXT)) | set(re.findall(r"^    make ([a-z-]+)", TEXT, re.MULTILINE))
    assert len(named) > 10
    assert [name for name in named if f"\n{name}:" not in makefile] == []


@pytest.mark.parametrize("page", ["README.md", "pipeline/README.md"])
def test_every_link_of_a_page_outside_docs_leads_to_a_file(page: str) -> None:
    """MkDocs checks the links within docs/."""
    links = re.findall(r"\]\(([^)#:]+)", PAGES[page])
    assert links
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_every_row_of_the_table_where_is_leads_to_a_function_a_class_or_a_table() -> None:
    section = PAGES["docs/contribute/architecture.md"].partition("## Where is")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| [^|]+ \| `([a-z_.]+)` \| `([A-Za-z_.]+)` \|$", section, re.MULTILINE)
    assert len(rows) == section.count("\n| ") - 2
    for module, function in rows:
        found = attrgetter(function)(import_module(module))
        assert function.isupper() or (found.__module__, found.__qualname__) == (module, function)


def test_the_package_has_a_row_for_each_of_its_folders() -> None:
    table = PAGES["pipeline/README.md"].partition("## Folders")[2]
    named = {
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)
    }
    found = {path.parent.name + "/" for path in (ROOT / "pipeline").glob("*/__init__.py")} | {"logs.py"}
    assert named - {"core/destinations/"} == found


def test_the_import_order_is_that_of_import_linter() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    (layers,) = (contract["layers"] for contract in contracts if contract["id"] == "layers")
    present = [[name for name in layer.split(" | ") if not name.startswith("(")] for layer in layers[1:]]
    (order,) = re.findall(r"^    (cli ▶[^#]*)", PAGES["pipeline/README.md"], re.MULTILINE)
    assert [layer.split(" | ") for layer in " ".join(order.split()).split(" ▶ ")] == present


def test_the_readme_has_a_line_for_each_of_the_first_nine_guarantees() -> None:
    headings = re.findall(r"^## (\d+)\. (.*)$", PAGES["docs/guarantees.md"], re.MULTILINE)
    lines = re.findall(r"^\| (\d) \| ([^|]+) \| \S[^|]+ \|$", PAGES["README.md"], re.MULTILINE)
    assert lines == headings[:9]
    assert [number for number, _ in headings] == [str(number) for number in range(1, 17)]
