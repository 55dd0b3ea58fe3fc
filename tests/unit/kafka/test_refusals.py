from __future__ import annotations

import asyncio

import pytest
from aiokafka import errors
from structlog.testing import capture_logs

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.errors import ClusterFaultError
from pipeline.kafka.refusals import InvalidRecordError, UnsupportedCompressionError, find_refusal, know_refusals
from tests.unit.kafka.test_producer import BOUND_SECONDS, TOPIC, FakeBroker, ProducerOnFakes, outbound

LATER_ATTEMPTS_HELP = {
    "a broker went away, moved or is busy": {
        errors.UnknownError,
        errors.BrokerNotAvailableError,
        errors.ReplicaNotAvailableError,
        errors.StaleControllerEpochError,
        errors.StaleLeaderEpochCodeError,
        errors.CorruptRecordException,
        errors.LogDirNotFound,
        errors.ReassignmentInProgress,
        errors.OperationNotAttempted,
    },
    "a new producer starts again": {
        errors.OutOfOrderSequenceNumber,
        errors.DuplicateSequenceNumber,
        errors.InvalidProducerEpoch,
        errors.InvalidProducerIdMapping,
        errors.UnknownProducerId,
    },
    "no answer to a write": {
        errors.NoError,
        errors.OffsetOutOfRangeError,
        errors.InvalidFetchRequestError,
        errors.OffsetMetadataTooLargeError,
        errors.IllegalGenerationError,
        errors.InconsistentGroupProtocolError,
        errors.InvalidGroupIdError,
        errors.UnknownMemberIdError,
        errors.InvalidSessionTimeoutError,
        errors.RebalanceInProgressError,
        errors.InvalidCommitOffsetSizeError,
        errors.GroupAuthorizationFailedError,
        errors.UnsupportedSaslMechanismError,
        errors.IllegalSaslStateError,
        errors.TopicAlreadyExistsError,
        errors.InvalidPartitionsError,
        errors.InvalidReplicationFactorError,
        errors.InvalidReplicationAssignmentError,
        errors.InvalidConfigurationError,
        errors.InvalidTxnState,
        errors.InvalidTransactionTimeout,
        errors.ConcurrentTransactions,
        errors.TransactionCoordinatorFenced,
        errors.TransactionalIdAuthorizationFailed,
        errors.SaslAuthenticationFailed,
        errors.DelegationTokenAuthDisabled,
        errors.DelegationTokenNotFound,
        errors.DelegationTokenOwnerMismatch,
        errors.DelegationTokenRequestNotAllowed,
        errors.DelegationTokenAuthorizationFailed,
        errors.DelegationTokenExpired,
        errors.InvalidPrincipalType,
        errors.NonEmptyGroup,
        errors.GroupIdNotFound,
        errors.FetchSessionIdNotFound,
        errors.InvalidFetchSessionEpoch,
        errors.ListenerNotFound,
        errors.MemberIdRequired,
    },
}
know_refusals()
LASTING = {kind for kind in errors.kafka_errors.values() if not kind.retriable}
REFUSED = sorted((kind for kind in LASTING if find_refusal(kind(), TOPIC)), key=lambda kind: kind.__name__)


def test_every_lasting_error_of_a_broker_is_a_hold_or_is_known_to_pass() -> None:
    """Errors that a later aiokafka adds must be classified here, too."""
    assert {*REFUSED, *(kind for kinds in LATER_ATTEMPTS_HELP.values() for kind in kinds)} == LASTING


def test_refusals_that_aiokafka_does_not_know_are_told_apart() -> None:
    assert [errors.for_code(code) for code in (87, 76)] == [InvalidRecordError, UnsupportedCompressionError]


@pytest.mark.parametrize("kind", REFUSED)
def test_a_refusal_names_the_topic_and_what_to_do(kind: type[errors.BrokerResponseError]) -> None:
    refusal = find_refusal(kind(), TOPIC)
    assert refusal is not None
    assert refusal.reason.startswith("Kafka ")
    assert f"`{TOPIC}`" in refusal.reason
    assert "{" not in refusal.reason


@pytest.mark.parametrize(
    ("error", "hold"),
    [
        (errors.InvalidTimestampError(), HoldReason.CLOCK),
        (InvalidRecordError(), HoldReason.KAFKA_REFUSES),
        (errors.TopicAuthorizationFailedError(TOPIC), HoldReason.KAFKA_REFUSES),
        (errors.PolicyViolationError(), HoldReason.KAFKA_REFUSES),
        (errors.RecordListTooLargeError(), HoldReason.MESSAGE_TOO_LARGE),
    ],
)
async def test_a_write_that_is_refused_is_held_and_said_once_until_it_goes_through(
    error: Exception, hold: HoldReason
) -> None:
    broker = FakeBroker()
    producer = ProducerOnFakes(broker)
    await producer.start()
    refusal = find_refusal(error, TOPIC)
    assert refusal is not None
    broker.answers.extend([error] * 3)
    held = []

    with capture_logs() as logs:
        producer._on_retry = lambda: held.append((producer.hold_reason, producer.holds))
        await asyncio.wait_for(producer.write(TOPIC, 0, outbound(b"1")), BOUND_SECONDS)
    assert held == [(None, frozenset()), *[(refusal.reason, {hold})] * 2]
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [refusal.reason]
    assert (producer.hold_reason, producer.holds, producer.retrying) == (None, frozenset(), False)
    assert broker.stored == {0: [b"1"]}


async def test_a_new_producer_that_is_refused_is_held_and_said_once_until_there_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    broker = FakeBroker()
    producer = ProducerOnFakes(broker)
    await producer.start()
    broker.answers.append(errors.KafkaTimeoutError())
    connect, held = producer._connect, []

    async def refused() -> object:
        held.append((producer.hold_reason, producer.holds))
        if len(held) <= 3:
            raise errors.ClusterAuthorizationFailedError
        return await connect()

    monkeypatch.setattr(producer, "_connect", refused)
    with capture_logs() as logs:
        await asyncio.wait_for(producer.write(TOPIC, 0, outbound(b"1")), BOUND_SECONDS)
    refusal = find_refusal(errors.ClusterAuthorizationFailedError(), TOPIC)
    assert refusal is not None
    assert held == [(None, frozenset()), *[(refusal.reason, {HoldReason.KAFKA_REFUSES})] * 3]
    assert [line["event"] for line in logs if line["log_level"] == "error"] == [refusal.reason]
    assert (producer.hold_reason, producer.holds) == (None, frozenset())
    assert broker.stored == {0: [b"1"]}


async def test_a_user_who_may_write_nothing_is_told_so_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    producer = ProducerOnFakes(FakeBroker())

    async def refused() -> None:
        raise errors.ClusterAuthorizationFailedError

    monkeypatch.setattr(producer, "_connect", refused)
    with pytest.raises(ClusterFaultError, match="allow the operation Write"):
        await producer.start()


async def test_what_passes_is_repeated_without_a_hold() -> None:
    broker = FakeBroker()
    producer = ProducerOnFakes(broker)
    await producer.start()
    broker.answers.append(errors.OutOfOrderSequenceNumber())
    held = []
    producer._on_retry = lambda: held.append(producer.holds)
    with capture_logs() as logs:
        await asyncio.wait_for(producer.write(TOPIC, 0, outbound(b"1")), BOUND_SECONDS)
    assert held == [frozenset()]
    assert [(line["log_level"], line["error"]) for line in logs] == [("warning", "OutOfOrderSequenceNumber")]
