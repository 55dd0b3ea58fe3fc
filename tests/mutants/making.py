"""Create the mutants of a source text: those of Cosmic Ray, and those without one statement."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from difflib import ndiff
from typing import TYPE_CHECKING, Final

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_MADE: Final = ("RemoveDecorator", "VariableReplacer", "VariableInserter", "ExceptionReplacer")
"""They need arguments, or fail as soon as the module is imported or the line is executed."""
_OPPOSITES: Final = {"Add_Sub", "Sub_Add", "Mul_Div", "Div_Mul", "Mod_FloorDiv", "FloorDiv_Mod", "BitOr_BitAnd"}
"""Of the eleven operators that Cosmic Ray substitutes for each, the one whose failure is hardest to notice."""
_IDENTITY: Final = {"IsNot_Is", "Is_IsNot", "Eq_NotEq", "NotEq_Eq"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A text with one change: `removed` and `added` are its lines, without the space before them."""

    text: str
    number: int
    removed: str
    added: str


def mutants_of(text: str) -> list[Mutant]:
    """Return every mutant that is a different program, in the order of its lines."""
    same = _program(text)
    found: dict[str, Mutant] = {}
    for changed in (*_by_cosmic_ray(text), *_without_statements(text)):
        if changed not in found and _program(changed) != same:
            found[changed] = _mutant(text, changed)
    return sorted(found.values(), key=lambda mutant: mutant.number)


def _by_cosmic_ray(text: str) -> Iterator[str]:
    nodes = list(ast_nodes(get_ast(text)))
    for name in operator_names():
        if not _is_made(name):
            continue
        operator = get_operator(name)()
        positions = sum(1 for node in nodes for _ in operator.mutation_positions(node))
        for occurrence in range(positions):
            changed = mutate_code(text, operator, occurrence)
            if changed is not None:
                yield changed


def _is_made(name: str) -> bool:
    kind = name.removeprefix("core/")
    if kind.startswith(_NOT_MADE):
        return False
    operator, _, change = kind.partition("_")
    if operator == "ReplaceBinaryOperator":
        return change in _OPPOSITES
    if operator == "ReplaceComparisonOperator" and "Is" in change:
        return change in _IDENTITY
    return True


def _without_statements(text: str) -> Iterator[str]:
    """Remove one statement at a time that is executed for its effect."""
    lines = text.splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.stmt) and _has_an_effect(node):
            first, last = node.lineno - 1, node.end_lineno or node.lineno
            indentation = lines[first][: node.col_offset]
            yield "".join([*lines[:first], f"{indentation}pass\n", *lines[last:]])


def _has_an_effect(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Call | ast.Await)
    if isinstance(statement, ast.Assign):
        return not isinstance(statement.targets[0], ast.Name)
    return isinstance(statement, ast.AugAssign | ast.Delete | ast.Raise | ast.Continue | ast.Break)


def _program(text: str) -> str:
    """Return what a source text does, without annotations and without whether arguments must be named."""
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return ""
    for node in ast.walk(tree):
        _make_bare(node)
    return ast.dump(tree)


def _make_bare(node: ast.AST) -> None:
    if isinstance(node, ast.arg):
        node.annotation = None
    elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        node.returns = None
    elif isinstance(node, ast.arguments):
        node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
        node.defaults += [default for default in node.kw_defaults if default is not None]
        node.posonlyargs, node.kwonlyargs, node.kw_defaults = [], [], []
    elif isinstance(node, ast.ClassDef):
        node.decorator_list = []  # how a dataclass is stored is checked by mypy
    elif isinstance(node, ast.AnnAssign):
        node.annotation = ast.Constant(None)
    elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
        node.test, node.body = ast.Constant(value=False), [ast.Pass()]


def _mutant(text: str, changed: str) -> Mutant:
    removed, added, number = [], [], 0
    at = 0
    for line in ndiff(text.splitlines(), changed.splitlines()):
        at += line[0] in " -"
        if line[0] == "-":
            removed.append(line[2:].strip())
            number = number or at
        elif line[0] == "+":
            added.append(line[2:].strip())
            number = number or at
    return Mutant(text=changed, number=number, removed=" ".join(removed), added=" ".join(added))
