"""Compile a plan for reading a record into one Python function with all usual cases inlined.

Inlining makes it fast: a typical event has some thirty unions and texts, and a function call for each would cost more
than reading them. The source depends on the plan only. It contains no name or text of a schema: fields are numbers, and
structs and functions are numbered constants.

The end of a body is not checked at each step. A body that ends early is detected at the next access to a byte, or by
the comparison at the end (`pipeline.core.avro.reading`).
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import msgspec
from msgspec.structs import fields

from pipeline.core.avro.cache import KEY_BYTES, PartCache
from pipeline.core.avro.reading import USUAL_BYTES, skipper
from pipeline.core.avro.resolution import MOST_BRANCHES, Choice, Part, Plain, Step, Texts, resolve
from pipeline.core.avro.schema_types import Primitive, Record, Union, UnusableSchemaError
from pipeline.core.avro.vocabulary import VOCABULARY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipeline.core.avro.resolution import Plan
    from pipeline.core.avro.schema_types import Type

    Read: TypeAlias = Callable[[bytes, int], Any]
    """Return the record whose body starts at a position and ends with the bytes."""
    Refusals: TypeAlias = Sequence[tuple[type[Exception] | tuple[type[Exception], ...], object]]
    Mending: TypeAlias = tuple[Sequence[Callable[[Any], bool]], Callable[[Any], Any]]
    Cached: TypeAlias = Mapping[str, Callable[[Any], Any]]
    Structs: TypeAlias = Mapping[str, type[msgspec.Struct]]
    """The struct of each record, by name. It has the fields of the record, in the same order."""

_FEWEST_OF_NULLS: Final = 3
_NESTED_IN_LINE: Final = 3
_CALLS: Final = {Plain.FLOAT: "read_float", Plain.DOUBLE: "read_double"}


def reader_of(
    writer: Type,
    reader: Record,
    structs: Structs,
    refusals: Refusals,
    cached: Cached = MappingProxyType({}),
    *,
    mending: Mending | None = None,
) -> Read:
    """Return a function that reads one of our records from a writer's bytes.

    Args:
        writer: The schema of the bytes.
        reader: Our schema.
        structs: The struct of each of our records.
        refusals: The value to return for each exception of `vocabulary.MISFITS`, `UnreadableError` and `TooDeepError`.
        cached: Records that many bodies have in common, each with a function that is applied before it is cached.
        mending: Tests that a record must pass, and a function that is applied to one that does not.

    Raises:
        UnusableSchemaError: the schemas cannot be resolved; the text gives the reason.
    """
    try:
        return _compiled(resolve(writer, reader), structs, refusals, cached, mending)
    except RecursionError as error:
        raise UnusableSchemaError("the schema's types are nested too deeply") from error


def _compiled(part: Part, structs: Structs, refusals: Refusals, cached: Cached, mending: Mending | None) -> Read:
    source = _Source(structs, cached)
    with source.block("def read(b, p):"):
        with source.block("try:"):
            source.part(part, "v")
            source.line("if p != len(b): raise Misfit")
            if mending is None:
                source.line("return v")
            else:
                tests = " and ".join(f"{source.constant(test)}(v)" for test in mending[0])
                source.line(f"return v if {tests} else {source.constant(mending[1])}(v)")
        for exceptions, refusal in refusals:
            source.line(f"except {source.constant(exceptions)}: return {source.constant(refusal)}")
    exec("\n".join(source.lines), source.constants)  # noqa: S102 -- it consists of numbers and of words in this module
    read: Read = source.constants["read"]
    return read


class _Source:
    """Source under construction. ``b`` is the body, ``p`` the position in it, and ``v`` with a number is a value."""

    def __init__(self, structs: Structs, cached: Cached) -> None:
        self.lines: list[str] = []
        self.constants: dict[str, Any] = dict(VOCABULARY)
        self._structs = structs
        self._cached = cached
        self._depth = 0
        self._names = count()

    def line(self, text: str) -> None:
        self.lines.append("  " * self._depth + text)

    @contextmanager
    def block(self, header: str) -> Iterator[None]:
        self.line(header)
        self._depth += 1
        yield
        self._depth -= 1

    def part(self, part: Part, target: str) -> None:
        """Add source that reads a record into a struct."""
        struct = self._structs[part.name]
        with ExitStack() as blocks:
            if _can_be_all_nulls(part, struct):
                nulls = len(part.steps)
                with self.block(f"if b[p:p + {nulls}] == {self.constant(bytes(nulls))}:"):
                    self.line(f"{target} = {self.constant(struct())}; p += {nulls}")
                blocks.enter_context(self.block("else:"))
            if part.name in self._cached:
                blocks.enter_context(self._unless_cached(target, self._cached[part.name]))
            self._fields(part, struct, target)

    @contextmanager
    def _unless_cached(self, target: str, finish: Callable[[Any], Any]) -> Iterator[None]:
        """Add source that returns a cached value for the same bytes; otherwise it reads the value and caches it."""
        cache = PartCache()
        known, key, start = self.constant(cache.values), self._variable(), self._variable()
        self.line(f"{key} = b[p:p + {KEY_BYTES}]; {start} = {known}.get({key})")
        with self.block(f"if {start} and b.startswith({start}[0], p):"):
            self.line(f"{target} = {start}[1]; p += {start}[2]")
        with self.block("else:"):
            self.line(f"{start} = p")
            yield
            self.line(f"{target} = {self.constant(finish)}({target})")
            self.line(f"{self.constant(cache.store)}({key}, b[{start}:p], p - {start}, {target})")

    def _fields(self, part: Part, struct: type[msgspec.Struct], target: str) -> None:
        known = fields(struct)
        values = ["None" if field.default is None else self.constant(field.default) for field in known]
        for step in part.steps:
            if not isinstance(step, Step):
                self._skip(step, ahead=0, nested=0)
                continue
            default, values[step.field] = values[step.field], self._variable()
            self._value(step.plan, values[step.field])
            if known[step.field].type is msgspec.Raw:
                value = values[step.field]
                self.line(f"{value} = {default} if {value} is None else Raw(dumps({value}))")
        self.line(f"{target} = {self.constant(struct)}({', '.join(values)})")

    def _value(self, plan: Plan, target: str, *, ahead: int = 0) -> None:
        """Add source that reads a value. ``ahead`` is 1 if the position is still at the index of its union, else 0."""
        if plan is Plain.TEXT:
            self._over_text(ahead)
            self.line(f"{target} = b[s:p].decode()")
            return
        if ahead:
            self.line("p += 1")
        match plan:
            case Plain():
                self._plain(plan, target)
            case Texts():
                self._texts(plan, target)
            case Choice():
                self._choice(plan, target)
            case Part():
                self.part(plan, target)

    def _plain(self, plan: Plain, target: str) -> None:
        if plan is Plain.NOTHING:
            self.line(f"{target} = None")
        elif plan is Plain.BOOLEAN:
            self.line(f"{target} = b[p] != 0; p += 1")
        elif plan is Plain.WHOLE_NUMBER:
            self.line(f"{target}, n = usual_number(b[p:p + {USUAL_BYTES}])")
            self.line("if n: p += n")
            self.line(f"else: {target}, p = whole_number(b, p)")
        else:
            self.line(f"{target}, p = {_CALLS[plan]}(b, p)")

    def _over_text(self, ahead: int) -> None:
        """Add source that moves to the end of a text: the text is then between ``s`` and ``p``."""
        position = f"p + {ahead}" if ahead else "p"
        self.line(f"n = b[{position}]")
        with self.block("if n < 128:"):
            self.line(f"s = p + {ahead + 1}; p += ends_{ahead}[n]")
        with self.block("else:"):
            self.line(f"n, s = size(b, {position}); p = s + n")

    def _texts(self, plan: Texts, target: str) -> None:
        key, value = self._variable(), self._variable()
        self.line(f"{target} = {{}}")
        with self.block("while b[p]:"):
            self.line("n = counts[b[p]]; p += 1")
            self.line("if not n: n, p = block_count(b, p - 1)")
            with self.block("for _ in range(n):"):
                self._value(Plain.TEXT, key)
                self._value(plan.values, value)
                self.line(f"{target}[{key}] = {value}")
        self.line("p += 1")

    def _choice(self, plan: Choice, target: str) -> None:
        # Values are tested before null, because they are more frequent.
        indexes = sorted(range(len(plan.branches)), key=lambda index: plan.branches[index] is Plain.NOTHING)
        for order, index in enumerate(indexes):
            branch = plan.branches[index]
            with self.block(f"{'elif' if order else 'if'} b[p] == {index * 2}:"):
                if branch is None:
                    self.line("raise Unreadable")
                else:
                    self._value(branch, target, ahead=1)
        self.line("else: raise Misfit" if indexes else "raise Misfit")

    def _skip(self, kind: Type, *, ahead: int, nested: int) -> None:
        """Add source that skips a value. Usual types are inlined, so that skipping costs no more than reading."""
        if kind is Primitive.STRING or kind is Primitive.BYTES:
            self._over_text(ahead)
            return
        if ahead:
            self.line("p += 1")
        if nested >= _NESTED_IN_LINE or not isinstance(kind, Record | Union):
            self.line(f"p = {self.constant(skipper(kind))}(b, p, 0)")
        elif isinstance(kind, Record):
            for field in kind.fields:
                self._skip(field.type, ahead=0, nested=nested + 1)
        else:
            for index, branch in enumerate(kind.branches[:MOST_BRANCHES]):
                with self.block(f"{'elif' if index else 'if'} b[p] == {index * 2}:"):
                    self._skip(branch, ahead=1, nested=nested + 1)
            self.line(f"else: p = {self.constant(skipper(kind))}(b, p, 0)")

    def constant(self, value: object) -> str:
        name = f"c{next(self._names)}"
        self.constants[name] = value
        return name

    def _variable(self) -> str:
        return f"v{next(self._names)}"


def _can_be_all_nulls(part: Part, struct: type[msgspec.Struct]) -> bool:
    """Return whether a record may consist of nulls only, each of them a zero byte."""
    return (
        len(part.steps) >= _FEWEST_OF_NULLS
        and not any(field.default is msgspec.NODEFAULT for field in fields(struct))
        and all(
            isinstance(step, Step) and isinstance(step.plan, Choice) and step.plan.branches[:1] == (Plain.NOTHING,)
            for step in part.steps
        )
    )
