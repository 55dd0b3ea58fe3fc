"""The contract between the sink and a destination. To add a destination, implement `Api`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from enum import StrEnum

    from pipeline.delivery.answers import Response
    from pipeline.delivery.client import RequestClient
    from pipeline.delivery.decisions import Attempt, Decision
    from pipeline.delivery.limits import RequestLimits
    from pipeline.delivery.probe import ProbeReport
    from pipeline.kafka.dead_letters import Stage


class Api(Protocol):
    """Everything that the sink needs to know about a destination that receives records over HTTP.

    The sink reads records from Kafka in order, checks each with `examine`, packs those that can be sent into request
    batches within `limits`, joins a request batch with `build_body`, posts the body through a client that `connect`
    returned, and asks `decide` what the response means. The sink handles retries, holds, order, memory, metrics and
    dead letters. `examine`, `build_body` and `decide` are pure and fast: no I/O, no clock, no randomness, no logging.
    They must not raise, whatever bytes a record or an answer has: an exception ends the worker. They are called from
    one event loop.

    The options that every destination shares are in `pipeline.delivery.options.DeliveryOptions`; a destination
    subclasses it. Helpers for `decide` are in `pipeline.delivery.decisions`, `doubts` and `error_text`; for `probe`,
    in `pipeline.delivery.probe`.

    Attributes:
        name: Lower case, as in metric labels, logs and the prefix of the settings: `PIPELINE_<NAME>_ENDPOINT` is the
            address, `PIPELINE_<NAME>_MAX_BATCH_BYTES` the size of a request.
        title: The destination's name in texts for people.
        stage: The stage that its dead letters carry, unique among all programs that write dead letters.
        reject_reasons: Every reason that `examine` or `decide` may return, including all of `DeliveryRejectReason`.
            Metrics show each from the start, so the set is closed.
        limits: What one request may contain. `build_body` must return exactly `limits.body_bytes(…)` bytes.
        max_seconds_ahead: How far the time of an event may be ahead of the present; None if it does not matter.
        max_answer_bytes: How much of an answer's body `decide` needs, after decompression. The client reads no more.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def stage(self) -> Stage: ...
    @property
    def reject_reasons(self) -> Collection[StrEnum]: ...
    @property
    def limits(self) -> RequestLimits: ...
    @property
    def max_seconds_ahead(self) -> float | None: ...
    @property
    def max_answer_bytes(self) -> int: ...

    def examine(self, record: bytes) -> StrEnum | float:
        """Return the reason why a record cannot be sent, or the time of its event if it can.

        The time is in seconds since the epoch, or `UNKNOWN_TIME`. A record larger than `limits.max_record_bytes` is
        `TOO_LARGE`. This is the only check of a record that the destination would accept and discard silently.
        """

    def build_body(self, records: Sequence[bytes], *, sent_at: float) -> bytes:
        """Return the body of a request with these records, at least one, in their order.

        ``sent_at`` is in seconds since the epoch, and new for each attempt.
        """

    def decide(self, response: Response, attempt: Attempt) -> Decision:
        """Return what a response means for the records that were sent.

        ``response`` is an answer, or the reason why there is none (`decisions.unanswered` decides on these).
        ``attempt`` has the number of records in the body, the number of the attempt, and the times to wait.

        * `Done`: accepted. `Done.refused` names the records that were refused while the others were accepted, by their
          index in the body as it was sent, each with a reason. `Done.accepted` is the answer's own count, or None. The
          accepted records are settled. The sink treats the answer as `Unknown` if an index is out of range or the
          counts do not add up. Refused records become dead letters if the breaker allows all of
          them; if not, the sink holds and sends them again, without the accepted ones.
        * `Refuse`: nothing was accepted, because of a record or because of the size. The sink sends smaller requests
          until the record at fault is alone, and stores it as a dead letter. With the reason
          `DeliveryRejectReason.TOO_LARGE` the sink also learns a smaller limit for requests.
        * `Retry`: there was no answer, or the destination is busy. The same records are sent again.
        * `Unknown`: the answer leaves open what was accepted. The same records are sent again, and the third such
          answer in a row is a hold.
        * `Hold`: an operator has to change something first. Every answer that nobody knows is a `Hold`.

        Where the body carries the verdict, an answer that is not `Answered.whole` is `Unknown`: the missing part may
        name refused records.
        """

    def connect(self) -> RequestClient:
        """Return a new client for one lane. It connects on the first request.

        Usually an `HttpClient`. Where the body of an answer carries the verdict, its `HttpOptions.answer_seconds` is
        long enough for the whole body.
        """

    async def probe(self) -> ProbeReport:
        """Send one marked record, and report whether it was accepted and where to look for it."""
