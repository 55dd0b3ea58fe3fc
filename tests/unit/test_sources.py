"""The facts about vendors are in `schemas/SOURCES.md`, and code cites its sections by their headings."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "schemas" / "SOURCES.md"
CITING: Final = ("pipeline", "tests", "deploy", "schemas")
EVERYWHERE: Final = (*CITING, "docs", "requirements", ".ci")
CITATION: Final = re.compile(r'schemas/SOURCES\.md, "([^"\n]+)"')
HISTORY: Final = ROOT / "CHANGELOG.md"
"""Describes earlier versions too, so it may name files that no longer exist."""

_HEADING: Final = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_WEB_ADDRESS: Final = re.compile(r"https?://\S+")
_DOCUMENT: Final = re.compile(r"(?<![\w./-])(?:\.{0,2}/)*([\w./-]*\w\.mdx?)\b")


class Section(NamedTuple):
    """One heading with the text up to the next heading of any level."""

    level: int
    heading: str
    text: str


def _files(folders: Iterable[str]) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*"))


def _texts(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """Read every text file among the paths, except this one."""
    for path in paths:
        if not path.is_file() or path == Path(__file__) or "__pycache__" in path.parts:
            continue
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:  # a picture
            continue


def _sections(page: str) -> list[Section]:
    found = list(_HEADING.finditer(page))
    ends = [*(each.start() for each in found[1:]), len(page)]
    return [Section(len(each[1]), each[2], page[each.end() : end]) for each, end in zip(found, ends, strict=True)]


def _below(sections: list[Section], index: int) -> list[Section]:
    """Return the sections below a heading, of every deeper level."""
    below = []
    for section in sections[index + 1 :]:
        if section.level <= sections[index].level:
            break
        below.append(section)
    return below


def _missing_documents(text: str, present: Iterable[str]) -> list[str]:
    """Return the Markdown files that a text names and that do not exist. Web addresses do not count."""
    named = _DOCUMENT.findall(_WEB_ADDRESS.sub("", text))
    return [name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in present)]


def _prose(module: str) -> str:
    """Return the comments and docstrings of a module, those of constants included."""
    tokens = tokenize.generate_tokens(io.StringIO(module).readline)
    comments = [token.string for token in tokens if token.type == tokenize.COMMENT]
    statements = [node.value for node in ast.walk(ast.parse(module)) if isinstance(node, ast.Expr)]
    docstrings = [each.value for each in statements if isinstance(each, ast.Constant) and isinstance(each.value, str)]
    return "\n".join([*comments, *docstrings])


def _is_test(path: Path) -> bool:
    """Return whether the values of a file may contain invented file names."""
    return path.suffix == ".py" and path.is_relative_to(ROOT / "tests")


SECTIONS: Final = _sections(PAGE.read_text(encoding="utf-8"))
CODE: Final = [(path, text) for path, text in _texts(_files(CITING)) if path.suffix != ".md"]
CITED: Final = {heading for _, text in CODE for heading in CITATION.findall(text)}


def test_every_citation_names_a_heading() -> None:
    assert len(CITED) > 15
    assert CITED - {section.heading for section in SECTIONS} == set()


def test_every_mention_of_the_page_in_code_is_a_citation_on_one_line() -> None:
    mentions = [(path, text.count("SOURCES.md"), len(CITATION.findall(text))) for path, text in CODE]
    assert [path.relative_to(ROOT) for path, mentioned, cited in mentions if mentioned != cited] == []


def test_every_heading_is_cited_or_has_one_below_it_that_is() -> None:
    ways = {section.heading: [section, *_below(SECTIONS, index)] for index, section in enumerate(SECTIONS)}
    assert [heading for heading, parts in ways.items() if not CITED & {part.heading for part in parts}] == []


def test_no_heading_occurs_twice() -> None:
    headings = [section.heading for section in SECTIONS]
    assert sorted(headings) == sorted(set(headings))


def test_every_section_without_others_below_it_has_a_public_address() -> None:
    leaves = [section for index, section in enumerate(SECTIONS) if not _below(SECTIONS, index)]
    assert [section.heading for section in leaves if "](https://" not in section.text] == []


def test_no_file_names_a_document_that_is_not_in_the_repository() -> None:
    texts = list(_texts([*ROOT.glob("[!.]*"), *_files(EVERYWHERE)]))
    documents = [path.relative_to(ROOT).as_posix() for path, _ in texts if path.suffix == ".md"]
    suspects = [each for each in texts if each[0] != HISTORY and _missing_documents(each[1], documents)]
    missing = {
        path.relative_to(ROOT).as_posix(): _missing_documents(_prose(text) if _is_test(path) else text, documents)
        for path, text in suspects
    }
    assert {path: names for path, names in missing.items() if names} == {}


def test_documents_are_found_by_the_end_of_their_path() -> None:
    present = ["README.md", "schemas/SOURCES.md"]
    text = "See notes.md 1.2, ../README.md#start, /schemas/SOURCES.md, https://x.example/other.md and (spec/common.md)."
    assert _missing_documents(text, present) == ["notes.md", "spec/common.md"]
    assert _missing_documents("OURCES.md, guide.mdx", present) == ["OURCES.md", "guide.mdx"]


def test_prose_is_comments_and_docstrings() -> None:
    module = '"""One."""\nA = "value"  # two\n"""Three."""\n\n\ndef f() -> str:\n    """Four."""\n    return "five"\n'
    assert _prose(module).split("\n") == ["# two", "One.", "Three.", "Four."]


def test_headings_are_found_with_the_headings_below_them() -> None:
    sections = _sections("# Page\n\n## A\n\n### A one\n\ntext\n\n## B\n")
    assert [section.heading for section in sections] == ["Page", "A", "A one", "B"]
    assert [part.heading for part in _below(sections, 1)] == ["A one"]
    assert [part.heading for part in _below(sections, 0)] == ["A", "A one", "B"]
