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
    """Everything that the sink has to know about a destination that receives records over HTTP.

    The sink reads records from Kafka in order, lets `examine` check each, packs those that may be sent into request
    batches within `limits`, joins a request batch with `build_body`, posts the body through what `connect` returned,
    and asks `decide` what the answer means. What becomes of records, retries, holds, order, memory and dead letters
    are the sink's business. `examine`, `build_body` and `decide` are pure and fast: no I/O, no clock, no randomness,
    no logging, and nothing raises. They are called from one event loop.

    Attributes:
        name: Lower case, as in metric labels, logs and the prefix of the settings: `PIPELINE_<NAME>_ENDPOINT` is the
            address, `PIPELINE_<NAME>_MAX_BATCH_BYTES` the size of a request.
        title: What people call the destination, for texts.
        stage: What dead letters name as their stage.
        reject_reasons: Every reason that `examine` or `decide` may return, those of `DeliveryRejectReason` included.
            Metrics show each from the start, so the set is closed.
        limits: What one request may hold. `build_body` must return exactly `limits.body_bytes(…)` bytes.
        max_answer_bytes: How much of an answer's body `decide` needs. The client reads no more than that.
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
    def max_answer_bytes(self) -> int: ...

    def examine(self, record: bytes) -> StrEnum | float:
        """Return why a record cannot be sent, or when its event happened.

        The time is in seconds since the epoch, or `UNKNOWN_TIME`. A record that the destination would accept in
        silence and throw away must be found here. A record larger than `limits.max_record_bytes` is `TOO_LARGE`.
        """

    def build_body(self, records: Sequence[bytes], *, sent_at: float) -> bytes:
        """Join records, at least one, to the body of a request, in their order.

        ``sent_at`` is in seconds since the epoch, and new for each attempt.
        """

    def decide(self, response: Response, attempt: Attempt) -> Decision:
        """Return what a response means for the records that were sent.

        * `Done`: accepted. `Done.refused` names records that were refused while the others were accepted, by their
          index in the body; `Done.accepted` is the answer's own count. The sink compares both with what was sent, and
          sends again where they contradict it.
        * `Refuse`: nothing was accepted because of a record or because of the size. The sink sends smaller requests
          until the record at fault stands alone, and stores that one as a dead letter.
        * `Retry`: nothing is known, or the destination is busy. The same records are sent again.
        * `Hold`: somebody has to change something first. So does every answer that is not understood.
        """

    def connect(self) -> RequestClient:
        """Return a new connection for one lane; it is opened by the first request."""

    async def probe(self) -> ProbeReport:
        """Send one marked record and report whether it was accepted, and where to look for it."""
