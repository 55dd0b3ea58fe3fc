"""Read a YAML file into plain values that know their lines, without any of YAML's surprises.

Scalars follow YAML 1.2, as editors check them: only ``true`` and ``false`` are booleans, so ``no`` is Norwegian and
``on`` a word. Nothing is ever constructed from a tag. Two equal keys, merge keys, tags and values that grow beyond
bounds through aliases are mistakes; plain anchors and aliases are fine.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

import yaml

from pipeline.core.mistakes import Located, Mistake, RulesError, quoted

Path: TypeAlias = tuple[str | int, ...]
"""Where a value is: the keys and list places on the way to it."""

MAX_FILE_CHARACTERS: Final = 262_144
_MAX_VALUES: Final = 50_000
_MAX_DEPTH: Final = 16
_STANDARD_TAG: Final = re.compile(r"tag:yaml\.org,2002:(str|int|float|bool|null|timestamp|value|map|seq)")
_MERGE_TAG: Final = "tag:yaml.org,2002:merge"
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}(?:\.[0-9]{0,18})?)(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)
_HALF_A_CHARACTER: Final = re.compile("[\ud800-\udfff]")
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file as plain values. ``lines`` has the line of each value and, by the path with the key, of each key.

    ``texts`` has each scalar as it was written, without quotes. ``mistakes`` are those that leave it readable.
    """

    filename: str
    value: Any
    lines: dict[Path, int] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    mistakes: list[Located] = field(default_factory=list)

    def located(self, path: Path, message: str, suggestion: str | None = None) -> Located:
        """Make a mistake at the line of a path, to be put into words when it is listed."""
        return Located(self.lines[path], partial(self.mistake, path, message, suggestion))

    def mistake(self, path: Path, message: str, suggestion: str | None = None) -> Mistake:
        """Make a mistake at the line of a path."""
        return Mistake(file=self.filename, line=self.lines[path], message=message, suggestion=suggestion)


class _TooManyNodesError(Exception):
    """A file has more keys and values than it may have; the number is the line of the first beyond."""


class _BoundedLoader(yaml.SafeLoader):
    """Composes no more nodes than a file may have values: each takes a kilobyte, and two letters of a file."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._left = _MAX_VALUES

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._left -= 1
        if self._left < 0:
            event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs leave its type out
            raise _TooManyNodesError(event.start_mark.line + 1)
        return super().compose_node(parent, index)


def read_document(text: str, *, filename: str) -> Document:
    """Read one YAML document.

    Raises:
        RulesError: when nothing can be read of it.
    """
    if len(text) > MAX_FILE_CHARACTERS:
        raise _failure(filename, 1, f"the file has more than {MAX_FILE_CHARACTERS:,} characters")
    try:
        root = yaml.compose(text, Loader=_BoundedLoader)
    except RecursionError:
        raise _failure(filename, 1, "values are nested too deep") from None
    except _TooManyNodesError as error:
        raise _failure(
            filename, error.args[0], f"there are more than {_MAX_VALUES:,} values, keys among them"
        ) from None
    except (ValueError, OverflowError):  # PyYAML lets them through: an escape such as "\\U00110000"
        raise _failure(filename, 1, "an escape names a character that does not exist", "correct it") from None
    except yaml.MarkedYAMLError as error:
        raise _syntax_failure(filename, error) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        message = f"the character U+{ord(text[error.position]):04X} is not allowed in YAML"
        raise _failure(filename, line, message, "delete it") from None
    if root is None:
        raise _failure(filename, 1, "the file is empty", "write `rules: []` to keep everything")
    reader = _Reader(filename)
    value = reader.read(root, ())
    return Document(
        filename=filename,
        value=value,
        lines=reader.lines,
        texts=reader.texts,
        mistakes=reader.mistakes,
    )


def _failure(filename: str, line: int, message: str, suggestion: str | None = None) -> RulesError:
    return RulesError((Mistake(file=filename, line=line, message=message, suggestion=suggestion),))


def _syntax_failure(filename: str, error: yaml.MarkedYAMLError) -> RulesError:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark is not None else 1
    problem = (error.problem or "this is not YAML").replace("'\\t'", "tab")
    suggestion = "look at the indentation, brackets and quotes here and above"
    if "alias" in problem or "alias" in str(error.context):
        suggestion = 'a text that begins with `*` or `&` needs quotes: "*promo*"'
    elif "tab" in problem:
        suggestion = "indent with spaces"
    elif isinstance(error, yaml.composer.ComposerError) and "single document" in str(error.context):
        problem, suggestion = "a second document begins here", "delete the line `---`"
    return _failure(filename, line, problem, suggestion)


class _Reader:
    """Turns nodes into plain values, and notes lines, texts and mistakes on the way."""

    def __init__(self, filename: str) -> None:
        self.filename = filename
        self.lines: dict[Path, int] = {}
        self.texts: dict[Path, str] = {}
        self.mistakes: list[Located] = []
        self._left = _MAX_VALUES

    def read(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self.lines.setdefault(path, line)
        self._left -= 1
        if self._left < 0:
            raise _failure(self.filename, line, f"there are more than {_MAX_VALUES:,} values, aliases counted in full")
        if len(path) > _MAX_DEPTH:
            raise _failure(self.filename, line, "values are nested too deep")
        if not _STANDARD_TAG.fullmatch(node.tag):
            self._note(line, f"the tag {quoted(node.tag)} is not allowed", "delete it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, place)) for place, item in enumerate(node.value)]
        text = self._text(node)
        self.texts[path] = text
        return _scalar(text) if isinstance(node, yaml.ScalarNode) and node.style is None else text

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._note(line, "a key must be a word", None)
            elif key.tag == _MERGE_TAG:
                self._note(line, "merge keys (`<<`) are not supported", "write the keys out")
            elif self._text(key) in values:
                first = self.lines[*path, key.value]
                self._note(line, f"{quoted(key.value)} is here twice, first in line {first}", "keep one of them")
            else:
                self.lines[*path, key.value] = line
                values[key.value] = self.read(item, (*path, key.value))
        return values

    def _text(self, node: yaml.Node) -> str:
        text = str(node.value)
        if _HALF_A_CHARACTER.search(text):  # no mistake could quote it, for it cannot be written
            message = "an escape from \\uD800 to \\uDFFF is half a character"
            raise _failure(self.filename, node.start_mark.line + 1, message, "write the character itself")
        return text

    def _note(self, line: int, message: str, suggestion: str | None) -> None:
        told = partial(Mistake, file=self.filename, line=line, message=message, suggestion=suggestion)
        self.mistakes.append(Located(line, told))


def _scalar(text: str) -> str | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text
