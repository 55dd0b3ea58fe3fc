"""Read a YAML file into plain values with their line numbers, without YAML's surprises.

Scalars follow YAML 1.2, as editors check them: only ``true`` and ``false`` are booleans, so ``no`` is Norwegian and
``on`` a word. No objects are constructed from tags. Duplicate keys, merge keys, tags and aliases that expand beyond the
limits are mistakes; other anchors and aliases are allowed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeAlias

import yaml

from pipeline.core.mistakes import Located, Mistake, RulesError, quoted

Path: TypeAlias = tuple[str | int, ...]
"""The path of a value: the keys and list indexes that lead to it."""

MAX_FILE_CHARACTERS: Final = 262_144
_MAX_VALUES: Final = 50_000
_MAX_DEPTH: Final = 16
_STANDARD_TAG: Final = re.compile(r"tag:yaml\.org,2002:(str|int|float|bool|null|timestamp|value|map|seq)")
_MERGE_TAG: Final = "tag:yaml.org,2002:merge"
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}", re.ASCII)
_DECIMAL: Final = re.compile(r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}(?:\.[0-9]{0,18})?)(?:[eE][-+]?[0-9]{1,2})?", re.ASCII)
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file as plain values. ``lines`` has the line of each value and, under the path with the key, of each key.

    ``texts`` has each scalar as it was written, without quotes. ``mistakes`` are those that do not stop reading.
    """

    filename: str
    value: Any
    lines: dict[Path, int] = field(default_factory=dict)
    texts: dict[Path, str] = field(default_factory=dict)
    mistakes: list[Located] = field(default_factory=list)

    def located(self, path: Path, message: str, suggestion: str | None = None) -> Located:
        """Return a mistake at the line of a path whose text is built when it is listed."""
        return Located(self.lines[path], partial(self.mistake, path, message, suggestion))

    def mistake(self, path: Path, message: str, suggestion: str | None = None) -> Mistake:
        """Return a mistake at the line of a path."""
        return Mistake(file=self.filename, line=self.lines[path], message=message, suggestion=suggestion)


class _TooManyNodesError(Exception):
    """A file has more keys and values than allowed. The argument is the line of the first one too many."""


class _BoundedLoader(yaml.SafeLoader):
    """Composes at most as many nodes as a file may have values: two characters of a file can take a kilobyte."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._left = _MAX_VALUES

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        self._left -= 1
        if self._left < 0:
            event = self.peek_event()  # type: ignore[no-untyped-call] # the stubs lack its type
            raise _TooManyNodesError(event.start_mark.line + 1)
        return super().compose_node(parent, index)


def read_document(text: str, *, filename: str) -> Document:
    """Read one YAML document.

    Raises:
        RulesError: the document cannot be read.
    """
    if len(text) > MAX_FILE_CHARACTERS:
        raise _failure(filename, 1, f"the file has more than {MAX_FILE_CHARACTERS:,} characters")
    try:
        root = yaml.compose(text, Loader=_BoundedLoader)
    except RecursionError:
        raise _failure(filename, 1, "values are nested too deeply") from None
    except _TooManyNodesError as error:
        raise _failure(filename, error.args[0], f"there are more than {_MAX_VALUES:,} keys and values") from None
    except (ValueError, OverflowError):  # PyYAML does not convert them: an escape such as "\\U00110000"
        raise _failure(filename, 1, "an escape stands for a character that does not exist", "correct it") from None
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
    """Turns nodes into plain values, and collects their lines, texts and mistakes."""

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
            raise _failure(self.filename, line, f"there are more than {_MAX_VALUES:,} values after expanding aliases")
        if len(path) > _MAX_DEPTH:
            raise _failure(self.filename, line, "values are nested too deeply")
        if not _STANDARD_TAG.fullmatch(node.tag):
            self._add_mistake(line, f"the tag {quoted(node.tag)} is not allowed", "delete it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        text = self._text(node)
        self.texts[path] = text
        return _scalar(text) if isinstance(node, yaml.ScalarNode) and node.style is None else text

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, item in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                self._add_mistake(line, "a key must be text", None)
            elif key.tag == _MERGE_TAG:
                self._add_mistake(line, "merge keys (`<<`) are not supported", "write the keys out")
            elif self._text(key) in values:
                first = self.lines[*path, key.value]
                self._add_mistake(line, f"duplicate key {quoted(key.value)}, first in line {first}", "keep one of them")
            else:
                self.lines[*path, key.value] = line
                values[key.value] = self.read(item, (*path, key.value))
        return values

    def _text(self, node: yaml.Node) -> str:
        text = str(node.value)
        if _SURROGATE.search(text):  # it cannot be encoded, so no mistake could quote it
            message = "an escape from \\uD800 to \\uDFFF is half of a surrogate pair"
            raise _failure(self.filename, node.start_mark.line + 1, message, "write the character itself")
        return text

    def _add_mistake(self, line: int, message: str, suggestion: str | None) -> None:
        mistake = partial(Mistake, file=self.filename, line=line, message=message, suggestion=suggestion)
        self.mistakes.append(Located(line, mistake))


def _scalar(text: str) -> str | float | bool | None:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _DECIMAL.fullmatch(text) else text
