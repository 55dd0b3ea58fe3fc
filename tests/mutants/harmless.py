"""Mutants that no test needs to notice, and the reason. None of them can lose, repeat, reorder or leak anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.mutants.making import Mutant


@dataclass(frozen=True, slots=True, kw_only=True)
class Harmless:
    """Mutants of one line: `added` may replace `removed`; without `added`, anything may.

    If a module has the line several times, `times` is how many of them may be changed this way.
    """

    removed: str
    added: str | None = None
    times: int = 1
    reason: str


TUNING: Final = "a chosen number, not a derived one: slightly more or less is as good"
NEVER_BEYOND: Final = "the left side never exceeds the right one, so both are equivalent"
SAME_AGAIN: Final = "sets the value that is already set"

NO_NEGATIVE_OFFSET: Final = "no offset is negative"
FIRST_ATTEMPT: Final = "in the constructor of a lane: it is set again when a request batch is sent"
LOGGED: Final = "the text of a log line, with no data of a record"
NOT_READ: Final = "Faust's classes require it, and it is never read"
SHORTCUT: Final = "a shortcut: a full batch is also noticed where it is filled"
NO_SLEEP: Final = "a sleep of zero or negative time is one step of the event loop"
FIRST_GENERATION: Final = "the first generation of a group is 1"
AT_THE_DEADLINE: Final = "what is due at the deadline itself cannot settle before it"
ENDED: Final = "after the end of a run nothing is awaited"
OVER: Final = "a deadline that has just passed and one that passed earlier both end at once"
COUNTED_AGAIN: Final = "the same bytes are counted again, with the same result"
WITH_A_BROKER: Final = "without it no worker starts: every test on a real broker fails"
ONLY_READ: Final = "the object is made by a decoder, read once and dropped"
TIDIED: Final = "the lane removes empty parts before it chooses what to send, and an empty part is equivalent to none"

_DECODED_PROPERTIES: Final = (
    "class _Properties(DetailedProperties, frozen=True, gc=False, kw_only=True, forbid_unknown_fields=True):"
)

HARMLESS: Final[dict[str, tuple[Harmless, ...]]] = {
    "ledger": (
        Harmless(removed="NEVER_STORED = -1", reason="any number that is not an offset is equivalent"),
        Harmless(removed="self._size = -1", reason="any negative number: not counted yet"),
        Harmless(removed="if self._size < 0:", added="if self._size != 0:", reason=COUNTED_AGAIN),
        Harmless(removed="if self._size < 0:", added="if self._size <= 0:", reason=COUNTED_AGAIN),
        Harmless(removed="if self._size < 0:", added="if self._size < 1:", reason=COUNTED_AGAIN),
        Harmless(
            removed="if not batches and assignment.read_to > settled and assignment.held:",
            added="if not batches and assignment.read_to >= settled and assignment.held:",
            reason=SAME_AGAIN,
        ),
        Harmless(
            removed="if settled != assignment.settled_to:",
            added="if settled > assignment.settled_to:",
            reason="the settled offset never decreases",
        ),
        Harmless(
            removed="if assignment.settled_to > assignment.stored_to",
            added="if assignment.settled_to != assignment.stored_to",
            reason="no stored offset exceeds the settled one",
        ),
        Harmless(
            removed="if assignment.held and offset > assignment.stored_to:",
            added="if assignment.held and offset >= assignment.stored_to:",
            reason=SAME_AGAIN,
        ),
        Harmless(
            removed="partition: assignment.settled_to "
            "if assignment.stored_to == NEVER_STORED else assignment.stored_to",
            added="partition: assignment.settled_to if assignment.stored_to <= NEVER_STORED else assignment.stored_to",
            reason=NO_NEGATIVE_OFFSET,
        ),
    ),
    "transport": (
        Harmless(removed="IDLE_POLL_SECONDS = 1.0", added="IDLE_POLL_SECONDS = 2.0", reason=TUNING),
        Harmless(removed="self._revocations = 0", reason="only differences of the counter are used"),
        Harmless(
            removed="self._revocations += 1",
            added="self._revocations += 2",
            reason="only the change of the counter matters",
        ),
        Harmless(
            removed="if self._revocations != revocations:",
            added="if self._revocations > revocations:",
            reason="it only grows",
        ),
        Harmless(
            removed="timeout = IDLE_POLL_SECONDS if len(open_) == len(live) else CROWDED_POLL_SECONDS",
            added="timeout = IDLE_POLL_SECONDS if len(open_) >= len(live) else CROWDED_POLL_SECONDS",
            reason=NEVER_BEYOND,
        ),
        Harmless(
            removed="await asyncio.sleep(0)",
            reason="without it a delivery is awaited in the other branch, which costs more",
        ),
        Harmless(removed="timestamp_type=0,", reason=NOT_READ),
        Harmless(removed="serialized_key_size=0,", reason=NOT_READ),
        Harmless(removed="serialized_value_size=0,", reason=NOT_READ),
        Harmless(removed="next_at = 0.0", reason="any time in the past means now"),
        Harmless(removed="if wait > 0:", added="if wait != 0:", reason=NO_SLEEP),
        Harmless(removed="if wait > 0:", added="if wait >= 0:", reason=NO_SLEEP),
        Harmless(removed="if wait > 0:", added="if wait > -1:", reason=NO_SLEEP),
        Harmless(removed="del message", reason=NOT_READ),
        Harmless(removed="del topics, start_new_transaction", reason=NOT_READ),
        Harmless(
            removed='logger.info("partitions assigned", '
            "partitions=sorted(number for _, number in positions.by_partition))",
            reason=LOGGED,
        ),
        Harmless(
            removed='logger.warning("partitions released without a last commit", partitions=len(partitions))',
            reason=LOGGED,
        ),
        Harmless(
            removed="away = [partition for partition, answered in zip(asked, answers, strict=True) if not answered]",
            added="away = [partition for partition, answered in zip(asked, answers, strict=False) if not answered]",
            reason="there is one answer for each",
        ),
        Harmless(removed="if away:", reason=LOGGED),
        Harmless(
            removed="messages = max(0, max(end or 0, self._ends.get(partition, 0)) - offset)",
            added="messages = max(0, max(end or -1, self._ends.get(partition, 0)) - offset)",
            reason=NO_NEGATIVE_OFFSET,
        ),
        Harmless(
            removed="messages = max(0, max(end or 0, self._ends.get(partition, 0)) - offset)",
            added="messages = max(0, max(end or 0, self._ends.get(partition, -1)) - offset)",
            reason=NO_NEGATIVE_OFFSET,
        ),
        Harmless(
            removed="LogEnds(partition.partition, max(ends[0], self._ends.get(partition, 0)), ends[1])",
            added="LogEnds(partition.partition, max(ends[0], self._ends.get(partition, -1)), ends[1])",
            reason=NO_NEGATIVE_OFFSET,
        ),
        Harmless(
            removed="logger.warning(text, partitions=numbers)",
            reason=LOGGED,
        ),
    ),
    "commits": (
        Harmless(removed="COMMIT_TIMEOUT_SECONDS = 10.0", reason=TUNING),
        Harmless(
            removed="_generation: int = -1", added="_generation: int = ~1", reason="any number that is not a generation"
        ),
        Harmless(
            removed="_generation: int = -1",
            added="_generation: int = - 2",
            reason="any number that is not a generation",
        ),
        Harmless(
            removed="if coordinator.generation != self._generation or coordinator.generation < 0:",
            added="if coordinator.generation != self._generation or coordinator.generation <= 0:",
            reason=FIRST_GENERATION,
        ),
        Harmless(
            removed="if coordinator.generation != self._generation or coordinator.generation < 0:",
            added="if coordinator.generation != self._generation or coordinator.generation < 1:",
            reason=FIRST_GENERATION,
        ),
        Harmless(
            removed='logger.warning("commit not stored; its messages stay uncommitted", error=type(error).__name__)',
            reason=LOGGED,
        ),
        Harmless(removed='logger.warning("commit not stored, retrying", error=type(error).__name__)', reason=LOGGED),
    ),
    "positions": (
        Harmless(removed="REPOSITION_RETRY_SECONDS = 1.0", added="REPOSITION_RETRY_SECONDS = 2.0", reason=TUNING),
        Harmless(removed='logger.warning("positions unknown, retrying", error=type(error).__name__)', reason=LOGGED),
    ),
    "fetching": (
        Harmless(removed="super().__init__(*args, **kwargs)", reason=WITH_A_BROKER),
        Harmless(
            removed="self.unreadable = UnreadablePartitions(self.app.conf.id, now=time.monotonic)",
            reason=WITH_A_BROKER,
        ),
        Harmless(removed="epoch: int = 0", reason="epochs are only compared with one another"),
        Harmless(
            removed='logger.warning("consumer group unavailable, retrying", error=type(error).__name__)', reason=LOGGED
        ),
        Harmless(
            removed="while (left := self._waits.seconds_left()) > 0:",
            added="while (left := self._waits.seconds_left()) != 0:",
            reason="the remaining time is never negative",
        ),
    ),
    "lane": (
        Harmless(removed="self._sent = NOTHING", reason="it is set when a request is sent, and not read before"),
        Harmless(removed="self._attempt = 0", added="self._attempt = 1", reason=FIRST_ATTEMPT),
        Harmless(removed="self._attempt = 0", added="self._attempt = -1", reason=FIRST_ATTEMPT),
        Harmless(removed="self._attempt = 0", added="pass", reason=FIRST_ATTEMPT),
        Harmless(removed="self._due_at = 0.0", reason="it is set before the lane backs off, and not read before"),
        Harmless(
            removed="return unsettled and self.hold is None and "
            "(self._attempt > 1 or self._phase is _Phase.BACKING_OFF)",
            added="return unsettled and self.hold is None and "
            "(self._attempt != 1 or self._phase is _Phase.BACKING_OFF)",
            reason="everything that is sent has at least one attempt",
        ),
        Harmless(
            removed="self._due_at = now", added="pass", times=2, reason="a request that was sent was due, and still is"
        ),
        Harmless(
            removed="return 0.0 if self.draining or full else since + self._flush_interval_seconds",
            added="return -1.0 if self.draining or full else since + self._flush_interval_seconds",
            reason="any time in the past means now",
        ),
        Harmless(
            removed="if self._rest.part.record_count == self._sent.record_count:",
            added="if self._rest.part.record_count >= self._sent.record_count:",
            reason=NEVER_BEYOND,
        ),
    ),
    "packing": (
        Harmless(
            removed="if count < len(run.records):",
            added="if count != len(run.records):",
            reason=NEVER_BEYOND,
        ),
    ),
    "driver": (
        Harmless(removed="self._departed_at = 0.0", reason="it is set when a request is sent, and not read before"),
        Harmless(
            removed="def accept(self, batch: MessageBatch, *, waited_seconds: float = 0.0) -> None:",
            reason="the sink always passes a duration",
        ),
        Harmless(
            removed="await self._until(lambda: self._next_move_at() > deadline, deadline=deadline)",
            added="await self._until(lambda: self._next_move_at() >= deadline, deadline=deadline)",
            reason=AT_THE_DEADLINE,
        ),
        Harmless(
            removed="lambda: not self.lane.carries(partitions) or self._next_move_at() > deadline, deadline=deadline",
            added="lambda: not self.lane.carries(partitions) or self._next_move_at() >= deadline, deadline=deadline",
            reason=AT_THE_DEADLINE,
        ),
        Harmless(
            removed="self._departed_at = started if attempt == 1 else self._departed_at",
            added="self._departed_at = started if attempt <= 1 else self._departed_at",
            reason="everything that is sent has at least one attempt",
        ),
        Harmless(
            removed="self._report.answered(response, seconds=now - started)",
            added="self._report.answered(response, seconds=now + started)",
            reason="only a metric",
        ),
        Harmless(
            removed="self._report.held(self._number, self.lane)",
            added="pass",
            reason="the next step of the lane reports the same",
        ),
        Harmless(removed="self._in_flight = None", added="pass", reason="cancelling what has ended does nothing"),
        Harmless(
            removed='async with asyncio.timeout_at(None if until == float("inf") else until):',
            reason="a timer that is due at infinity never ends either",
        ),
    ),
    "report": (
        Harmless(
            removed="if attempt > 1:",
            added="if attempt != 1:",
            reason="everything that is sent has at least one attempt",
        ),
        Harmless(removed="duration_seconds=round(flush.duration_seconds, 3),", reason=LOGGED),
        Harmless(removed="if after == before:", added="if after >= before:", reason=NEVER_BEYOND),
        Harmless(
            removed="first = before == self._setting_bytes",
            added="first = before >= self._setting_bytes",
            reason=NEVER_BEYOND,
        ),
        Harmless(
            removed='log.warning("request accepted in part", refused=len({record.index for record in refused}))',
            reason=LOGGED,
        ),
        Harmless(
            removed='log.warning("request failed, retrying", after_seconds=round(seconds, 3))',
            reason=LOGGED,
        ),
        Harmless(
            removed='log.debug("request refused, retrying slowly", after_seconds=round(seconds, 3))',
            reason=LOGGED,
        ),
        Harmless(removed="level = log.debug if dissecting else log.warning", reason=LOGGED),
        Harmless(removed='level("records refused, isolating those at fault", reason=reason.value)', reason=LOGGED),
    ),
    "limits": (
        Harmless(removed="if max_bytes < self.max_bytes:", added="if max_bytes <= self.max_bytes:", reason=SAME_AGAIN),
    ),
    "dissection": (
        Harmless(
            removed="while self.part.record_count > 1 and self.part.body_bytes(self._limits) > max_bytes:",
            added="while self.part.record_count != 1 and self.part.body_bytes(self._limits) > max_bytes:",
            reason="a body without records is within every limit",
        ),
        Harmless(removed="self.tidy()", added="pass", times=3, reason=TIDIED),
        Harmless(
            removed="self._api, run.messages[0], verdict.reason, record=run.records[0], detail=verdict.detail",
            added="self._api, run.messages[ -1], verdict.reason, record=run.records[0], detail=verdict.detail",
            reason="a verdict concerns one message",
        ),
        Harmless(
            removed="if self.bad > self._reserved and not "
            "self._breaker.allows(records=records, bad=self.bad, own=self._reserved):",
            added="if self.bad != self._reserved and not "
            "self._breaker.allows(records=records, bad=self.bad, own=self._reserved):",
            reason="the reservation never exceeds the number of bad records",
        ),
        Harmless(
            removed="if part.record_count > 1:",
            added="if part.record_count != 1:",
            reason="a part without records has neither pieces nor a verdict",
        ),
        Harmless(
            removed="self._verdicts = [each for each, stays in zip(self._verdicts, kept, strict=True) if stays]",
            added="self._verdicts = [each for each, stays in zip(self._verdicts, kept, strict=False) if stays]",
            reason="one list is built from the other",
        ),
    ),
    "confirmations": (
        Harmless(removed="self._news = None", added="pass", reason="a future that has its result is not set again"),
    ),
    "admission": (Harmless(removed="ASK_AGAIN_SECONDS: Final = 5.0", reason=TUNING),),
    "processor_rounds": (
        Harmless(removed="MESSAGES_A_STEP: Final = 500", reason=TUNING),
        Harmless(removed="decided_messages = 0", added="decided_messages = 1", times=2, reason=TUNING),
        Harmless(removed="decided_messages = 0", added="decided_messages = -1", times=2, reason=TUNING),
        Harmless(
            removed="if decided_messages > MESSAGES_A_STEP:",
            added="if decided_messages >= MESSAGES_A_STEP:",
            reason=TUNING,
        ),
        Harmless(removed="await asyncio.sleep(0)", added="await asyncio.sleep( -1)", reason=OVER),
    ),
    "processor_step": (
        Harmless(
            removed="self, processor: Processor, *, store: StoreHealth, metrics: ProcessorMetrics, "
            "patience_seconds: float = 30.0",
            reason=TUNING,
        ),
        Harmless(
            removed="await self.revoke(tuple(self._rounds.queues), timeout_seconds=0)",
            added="await self.revoke(tuple(self._rounds.queues), timeout_seconds= -1)",
            reason=ENDED,
        ),
        Harmless(
            removed="await self.revoke(tuple(self._rounds.queues), timeout_seconds=0)",
            added="await self.revoke(tuple(self._rounds.queues), timeout_seconds= 1)",
            reason=ENDED,
        ),
        Harmless(
            removed="def accept(self, *batches: MessageBatch, waited_seconds: float = 0.0) -> None:",
            reason="a processor does not use it",
        ),
        Harmless(removed="del waited_seconds", added="pass", reason="a processor does not use it"),
    ),
    "watching": (
        Harmless(removed="BROKER_ANSWER_SECONDS = 5.0", reason=TUNING),
        Harmless(removed="ASK_SECONDS = 60.0", reason=TUNING),
        Harmless(removed="ENDS_SECONDS = 30.0", reason=TUNING),
    ),
    "worker": (
        Harmless(removed="LEAVE_SECONDS = 10.0", reason=TUNING),
        Harmless(
            removed="if self._app is None or self._step is None:",
            added="if self._app is None and self._step is None:",
            reason="both are set in the same step",
        ),
    ),
    "producer": (
        Harmless(removed="BATCH_BYTES = 512 * 1024", reason=TUNING),
        Harmless(removed="BATCH_HEADER_BYTES = 61", reason="the estimate is a dozen bytes too high for each message"),
        Harmless(removed="STOP_SECONDS = 5.0", reason=TUNING),
        Harmless(removed="ABANDON_SECONDS = 0.1", reason="one more cancellation is harmless"),
        Harmless(
            removed="class OutboundMessage(msgspec.Struct, frozen=True, gc=False):",
            reason="it is never modified, and garbage collection only costs more",
        ),
        Harmless(removed="request_timeout_seconds: float = 30.0,", reason=TUNING),
        Harmless(removed="retry_seconds: float = 1.0,", added="retry_seconds: float = 2.0,", reason=TUNING),
        Harmless(removed="refused_retry_seconds: float = 10.0,", reason=TUNING),
        Harmless(
            removed='is_too_large = sum([len(message.value or b"") for message in messages]) > BATCH_BYTES',
            added='is_too_large = sum([len(message.value or b"") for message in messages]) == BATCH_BYTES',
            reason=SHORTCUT,
        ),
        Harmless(
            removed='is_too_large = sum([len(message.value or b"") for message in messages]) > BATCH_BYTES',
            added='is_too_large = sum([len(message.value or b"") for message in messages]) >= BATCH_BYTES',
            reason=SHORTCUT,
        ),
        Harmless(
            removed='is_too_large = sum([len(message.value or b"") for message in messages]) > BATCH_BYTES',
            added='is_too_large = sum([len(message.value and b"") for message in messages]) > BATCH_BYTES',
            reason=SHORTCUT,
        ),
        Harmless(
            removed="if is_too_large or self._batch_end(topic, messages, 0) < len(messages):",
            added="if is_too_large or self._batch_end(topic, messages, 0) != len(messages):",
            reason=NEVER_BEYOND,
        ),
        Harmless(
            removed="if is_too_large or self._batch_end(topic, messages, 0) < len(messages):",
            added="if is_too_large or self._batch_end(topic, messages, -1) < len(messages):",
            reason="less is handed over, and `write` writes the rest",
        ),
        Harmless(
            removed="if _fill(batch, messages, 0, len(messages)) < len(messages):",
            added="if _fill(batch, messages, 0, len(messages)) != len(messages):",
            reason=NEVER_BEYOND,
        ),
        Harmless(
            removed="while written < len(messages):",
            added="while written != len(messages):",
            reason=NEVER_BEYOND,
        ),
        Harmless(
            removed="await self._await_another_chance(topic, partition, error, is_final=end - written == 1)",
            added="await self._await_another_chance(topic, partition, error, is_final=end - written <= 1)",
            reason="a batch has at least one message",
        ),
        Harmless(
            removed='logger.warning("write failed, retrying", topic=topic, partition=partition, error=_name(error))',
            reason=LOGGED,
        ),
        Harmless(
            removed="if used_bytes > limit_bytes and index > start:",
            added="if used_bytes >= limit_bytes and index > start:",
            reason="the estimate is too high in any case",
        ),
        Harmless(
            removed="if used_bytes > limit_bytes and index > start:",
            added="if used_bytes > limit_bytes and index != start:",
            reason="no index is before the start",
        ),
        Harmless(
            removed="if limit_bytes >= BATCH_BYTES:",
            added="if limit_bytes == BATCH_BYTES:",
            reason=NEVER_BEYOND,
        ),
        Harmless(
            removed="if limit_bytes >= BATCH_BYTES:",
            added="if limit_bytes > BATCH_BYTES:",
            reason="costs more estimates, and no batch becomes larger",
        ),
        Harmless(
            removed='logger.warning("write not confirmed yet, still retrying", topic=topic, partition=partition)',
            reason=LOGGED,
        ),
        Harmless(
            removed='logger.warning("no broker available for writes, retrying", error=_name(error))', reason=LOGGED
        ),
        Harmless(removed='logger.warning("producer did not close cleanly", error=_name(error))', reason=LOGGED),
    ),
    "groups": (
        Harmless(removed="TIMEOUT_SECONDS: Final = 30.0", reason=TUNING),
        Harmless(removed="outcome_partitions: int = 0", reason="it is not read without such a topic"),
        Harmless(
            removed="lost = [number for number in missing if number < newest or view.starts[number] > 0]",
            added="lost = [number for number in missing if number <= newest or view.starts[number] > 0]",
            reason="the newest has an offset, so it is not missing",
        ),
        Harmless(
            removed="lost = [number for number in missing if number < newest or view.starts[number] > 0]",
            added="lost = [number for number in missing if number < newest or view.starts[number] != 0]",
            reason=NO_NEGATIVE_OFFSET,
        ),
        Harmless(
            removed="removed = sorted(number for number, offset in view.starts.items() if offset > 0)",
            added="removed = sorted(number for number, offset in view.starts.items() if offset != 0)",
            reason=NO_NEGATIVE_OFFSET,
        ),
        Harmless(
            removed='return topic_id(answer.to_object()["topics"][0])',
            added='return topic_id(answer.to_object()["topics"][ -1])',
            reason="only one topic was requested",
        ),
    ),
    "state_store": (
        Harmless(removed="READERS: Final = 4", reason=TUNING),
        Harmless(removed="SKETCH_SECONDS: Final = 30.0", reason=TUNING),
        Harmless(
            removed="return asyncio.get_running_loop().time() >= self._write_sketches_at.get(partition, 0.0)",
            reason="delaying the first write of sketches by a second loses none",
        ),
    ),
    "client": (
        Harmless(removed="DNS_CACHE_SECONDS: Final = 300", reason=TUNING),
        Harmless(removed="KEEP_ALIVE_SECONDS: Final = 30.0", reason=TUNING),
        Harmless(removed="ANSWER_BODY_SECONDS: Final = 1.0", added="ANSWER_BODY_SECONDS: Final = 2.0", reason=TUNING),
        Harmless(removed="MAX_HEADER_BYTES: Final = 32_768", reason=TUNING),
        Harmless(removed="MAX_HEADERS: Final = 256", reason=TUNING),
        Harmless(removed="self._opened_at = 0.0", reason="it is set when a session is opened, and not read before"),
        Harmless(
            removed="if self._session is not None and now - self._opened_at < CONNECTION_AGE_SECONDS:",
            added="if self._session is not None and now - self._opened_at <= CONNECTION_AGE_SECONDS:",
            reason="half a day has a margin of another half",
        ),
    ),
    "mixpanel-answers": (
        Harmless(
            removed="report, is_success = _report_of(answer, attempt), answer.status == HTTPStatus.OK",
            added="report, is_success = _report_of(answer, attempt), answer.status <= HTTPStatus.OK",
            reason="only a 200 or a 400 is read for its body",
        ),
        Harmless(
            removed="if imported == 0 and report.is_empty:",
            added="if imported <= 0 and report.is_empty:",
            reason="no number of records is negative",
        ),
        Harmless(
            removed="return _Report(imported=None, rows=None, is_empty=False)",
            added="return _Report(imported=None, rows=None, is_empty=True)",
            reason="without a number nothing else is read",
        ),
        Harmless(
            removed="rows=usable if len(usable) == len(rows) else None,",
            added="rows=usable if len(usable) >= len(rows) else None,",
            reason=NEVER_BEYOND,
        ),
    ),
    "mixpanel-record-check": (
        *(
            Harmless(removed=decoded, added=decoded.replace(option, changed), reason=ONLY_READ)
            for decoded in (
                _DECODED_PROPERTIES,
                "class _Event(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):",
            )
            for option, changed in (("frozen=True", "frozen=False"), ("gc=False", "gc=True"))
        ),
        Harmless(
            removed=_DECODED_PROPERTIES,
            added=_DECODED_PROPERTIES.replace("kw_only=True", "kw_only=False"),
            reason="it is never built by a call",
        ),
        Harmless(removed="break", added="pass", reason="the rest is nested deeper still, and is too deep already"),
    ),
}


def judged(module: str, survivors: Sequence[Mutant]) -> tuple[list[Mutant], list[Harmless]]:
    """Return the survivors that are not judged, and the judgements without a survivor."""
    left = list(survivors)
    unused = []
    for harmless in HARMLESS.get(module, ()):
        fitting = [mutant for mutant in left if _fits(harmless, mutant)]
        if harmless.added is not None and len(fitting) > harmless.times:
            continue  # it is unknown which of them is the harmless one
        left = [mutant for mutant in left if mutant not in fitting]
        if not fitting:
            unused.append(harmless)
    return left, unused


def _fits(harmless: Harmless, mutant: Mutant) -> bool:
    return mutant.removed == harmless.removed and harmless.added in {None, mutant.added}
