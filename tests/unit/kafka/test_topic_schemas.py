from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
import structlog

from pipeline.core.avro.framing import registry_id, registry_prefix
from pipeline.core.avro.schema_book import SchemaBook
from pipeline.core.avro.schema_types import UnusableSchemaError
from pipeline.core.outcomes import RejectReason
from pipeline.kafka.prerequisites import PrerequisiteAwayError
from pipeline.kafka.schema_registry import Absence, RegistryFaultError
from pipeline.kafka.topic_schemas import NEW_IDS, SECOND_LOOK_SECONDS, UNKNOWN_FOR_SECONDS, TopicSchemas
from tests.fakes.stream import FakeMessage
from tests.fakes.virtual_time import run_virtual

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.kafka.schema_registry import Lookup, SchemaRegistry

ONE = registry_prefix(1)
ANSWER_SECONDS = 0.25


class FakeRegistry:
    """Returns its answers in turn; the last one is repeated."""

    def __init__(self, *answers: Lookup | Exception) -> None:
        self._answers = list(answers)
        self.asked = 0
        self.answered = 0

    async def find(self, prefix: bytes) -> Lookup:
        assert prefix == ONE
        self.asked += 1
        await asyncio.sleep(ANSWER_SECONDS)
        self.answered += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def compiled(schema: str) -> Callable[[bytes, int], str | RejectReason]:
    if schema == "bad":
        raise UnusableSchemaError("it has no `event`")
    return lambda value, start: schema + value[start:].decode()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class OneMessage:
    topic = "raw"
    partition = 0
    messages = (FakeMessage(offset=0, value=ONE + b"!"),)

    def acknowledge(self) -> None: ...


def schemas_of(
    registry: FakeRegistry | None,
    clock: Clock,
    compile_decoder: Callable[[str], Callable[[bytes, int], str | RejectReason]] = compiled,
) -> tuple[SchemaBook[str], TopicSchemas[str]]:
    book = SchemaBook[str]()
    source: SchemaRegistry | None = registry  # type: ignore[assignment] # the one method that is used
    return book, TopicSchemas(book, compile_decoder=compile_decoder, registry=source, clock=clock)


@pytest.mark.parametrize(
    ("answers", "read"),
    [
        (["good"], "good!"),
        ([Absence.UNKNOWN, "good"], "good!"),
        (["bad"], RejectReason.UNUSABLE_SCHEMA),
        ([Absence.NOT_AVRO], RejectReason.UNUSABLE_SCHEMA),
        ([Absence.UNKNOWN], RejectReason.UNKNOWN_SCHEMA),
    ],
)
def test_what_the_registry_says_decides_how_messages_are_read(answers: list[Lookup], read: object) -> None:
    book, schemas = schemas_of(FakeRegistry(*answers), Clock())
    assert schemas.missing(OneMessage()) == {ONE}
    run_virtual(schemas.obtain(ONE))
    assert schemas.missing(OneMessage()) == set()
    assert book.read(ONE + b"!") == read


def test_an_id_is_unknown_only_after_a_second_look() -> None:
    async def look() -> float:
        await schemas.obtain(ONE)
        return asyncio.get_running_loop().time()

    registry = FakeRegistry(Absence.UNKNOWN)
    _, schemas = schemas_of(registry, Clock())
    assert run_virtual(look()) == SECOND_LOOK_SECONDS + 2 * ANSWER_SECONDS
    assert registry.asked == 2


def test_partitions_that_need_the_same_schema_share_one_look_up() -> None:
    compiled_schemas: list[str] = []

    def compile_once(schema: str) -> Callable[[bytes, int], str | RejectReason]:
        compiled_schemas.append(schema)
        return compiled(schema)

    async def look() -> list[None]:
        return await asyncio.gather(*(schemas.obtain(ONE) for _ in range(16)))

    registry = FakeRegistry("good")
    book, schemas = schemas_of(registry, Clock(), compile_once)
    run_virtual(look())
    assert (registry.asked, compiled_schemas, book.read(ONE + b"!")) == (1, ["good"], "good!")


def test_a_look_up_that_fails_fails_for_all_who_wait_and_is_repeated() -> None:
    async def look() -> list[BaseException | None]:
        return await asyncio.gather(*(schemas.obtain(ONE) for _ in range(3)), return_exceptions=True)

    registry = FakeRegistry(RegistryFaultError("no answer"), "good")
    _, schemas = schemas_of(registry, Clock())
    assert [str(error) for error in run_virtual(look())] == ["no answer"] * 3
    assert run_virtual(look()) == [None] * 3
    assert registry.asked == 2


def test_a_look_up_goes_on_for_the_others_when_a_partition_is_given_up() -> None:
    async def look() -> None:
        given_up, other = (asyncio.ensure_future(schemas.obtain(ONE)) for _ in range(2))
        await asyncio.sleep(ANSWER_SECONDS / 2)
        given_up.cancel()
        await other
        assert given_up.cancelled()

    registry = FakeRegistry("good")
    book, schemas = schemas_of(registry, Clock())
    run_virtual(look())
    assert (registry.asked, book.read(ONE + b"!")) == (1, "good!")


def test_a_look_up_that_nobody_waits_for_any_more_ends_and_does_not_spoil_the_next() -> None:
    async def look() -> None:
        given_up = asyncio.ensure_future(schemas.obtain(ONE))
        await asyncio.sleep(ANSWER_SECONDS / 2)
        given_up.cancel()
        await asyncio.wait({given_up})
        await schemas.obtain(ONE)

    registry = FakeRegistry("good")
    book, schemas = schemas_of(registry, Clock())
    run_virtual(look())
    assert (registry.asked, registry.answered, book.read(ONE + b"!")) == (2, 1, "good!")


def test_an_unknown_id_is_asked_for_again_after_a_while() -> None:
    clock = Clock()
    book, schemas = schemas_of(FakeRegistry(Absence.UNKNOWN, Absence.UNKNOWN, "good"), clock)
    run_virtual(schemas.obtain(ONE))
    clock.now = UNKNOWN_FOR_SECONDS - 1
    assert schemas.missing(OneMessage()) == set()
    clock.now = UNKNOWN_FOR_SECONDS
    assert schemas.missing(OneMessage()) == {ONE}
    run_virtual(schemas.obtain(ONE))
    assert book.read(ONE + b"!") == "good!"


def test_a_registry_that_does_not_answer_decides_nothing() -> None:
    book, schemas = schemas_of(FakeRegistry(RegistryFaultError("no answer")), Clock())
    with pytest.raises(PrerequisiteAwayError, match="no answer"):
        run_virtual(schemas.obtain(ONE))
    assert schemas.missing(OneMessage()) == {ONE}
    with pytest.raises(KeyError):
        book.read(ONE)


def test_without_a_registry_only_the_book_is_known() -> None:
    book, schemas = schemas_of(None, Clock())
    with structlog.testing.capture_logs() as logs:
        run_virtual(schemas.obtain(ONE))
    assert book.read(ONE) is RejectReason.UNKNOWN_SCHEMA
    assert [(line["log_level"], line["schema"]) for line in logs] == [("error", "0000000001")]


class IdRegistry:
    """A registry with the schemas of some ids."""

    def __init__(self, *known: int) -> None:
        self._known = {registry_prefix(number) for number in known}
        self.asked: list[int | None] = []

    async def find(self, prefix: bytes) -> Lookup:
        self.asked.append(registry_id(prefix))
        return "good" if prefix in self._known else Absence.UNKNOWN


def test_an_id_that_no_registry_can_have_given_yet_is_looked_up_once() -> None:
    async def look() -> float:
        await schemas.obtain(registry_prefix(7))
        for number in range(20):
            await schemas.obtain(registry_prefix(2**31 + number))
        return asyncio.get_running_loop().time()

    registry = IdRegistry(7)
    _, schemas = schemas_of(registry, Clock())  # type: ignore[arg-type] # the one method that is used
    assert run_virtual(look()) == 0
    assert registry.asked == [7, *range(2**31, 2**31 + 20)]


def test_an_id_that_may_have_been_given_a_moment_ago_is_looked_up_twice() -> None:
    registry = IdRegistry(7)
    _, schemas = schemas_of(registry, Clock())  # type: ignore[arg-type] # the one method that is used
    for number in (7, 8, 7 + NEW_IDS, 8 + NEW_IDS):
        run_virtual(schemas.obtain(registry_prefix(number)))
    assert registry.asked == [7, 8, 8, 7 + NEW_IDS, 7 + NEW_IDS, 8 + NEW_IDS]
