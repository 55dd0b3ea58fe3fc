"""The whole path of one message, on one screen. Start here.

Every message comes to exactly one outcome, whatever its bytes. The same message, policy and state come to the same
outcome, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pipeline.core.catalogue import Catalogue, consult
from pipeline.core.events import Event, decode
from pipeline.core.filters import in_sample
from pipeline.core.identity import AnonymousPolicy, Identity, identify, user_key
from pipeline.core.message_ids import message_id_of
from pipeline.core.outcomes import Deliver, Drop, DropReason, Outcome, Reject, RejectReason, StateChange
from pipeline.core.policy import Plan
from pipeline.core.records import build_record
from pipeline.core.rules import KEEP, Verdict
from pipeline.core.timestamps import event_time
from pipeline.core.tracking import Mark, TrackedUsers

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.core.indexes import Ruling
    from pipeline.core.messages import Message
    from pipeline.core.policy import Policy


class State(msgspec.Struct, frozen=True):
    """What is remembered of earlier messages. Without tracked users, `tracked_only` keeps nothing."""

    tracked_users: TrackedUsers | None = None
    catalogue: Catalogue | None = None


STATELESS: Final = State()


class Keep(msgspec.Struct, frozen=True, gc=False):
    """An event that is worth its price, with what its record is made of."""

    plan: Plan
    event: Event
    identity: Identity
    user_key: bytes
    message_id: str
    rule: int | None
    change: StateChange | None
    shadows: tuple[int, ...]
    filled: bool


def process(
    message: Message,
    policy: Policy,
    state: State,
    decode: Callable[[bytes], Event | RejectReason] = decode,
) -> Outcome:
    """Decide what becomes of one message, and build its record if it is delivered.

    `decode` reads the body: JSON, or what else the raw topic holds (`pipeline.core.avro`).
    """
    value = message.value
    if value is None:
        return Drop(None, DropReason.TOMBSTONE)

    event = decode(value)
    if not isinstance(event, Event):
        return Reject(None, event)

    kept = judge(event, value, message, policy, state)
    if not isinstance(kept, Keep):
        return kept

    facts = event.event
    timestamp = event_time(facts.timestamp, facts.datetime, message.timestamp)
    record = build_record(kept.plan.shape, kept.event, kept.identity, kept.message_id, timestamp)
    if record is None:
        return Reject(kept.plan.kind, RejectReason.RECORD_TOO_LARGE)
    return Deliver(kept.plan.kind, kept.user_key, record, kept.rule, kept.change, kept.shadows, kept.filled)


def judge(event: Event, value: bytes, message: Message, policy: Policy, state: State) -> Keep | Drop | Reject:
    """Decide whether a decoded event is kept. `value` is the body that it was decoded from."""
    plan = policy.plan_for(event.event.kind)
    if plan.refusal is not None:
        return Reject(plan.kind, plan.refusal)

    known, learnt = event, None
    if state.catalogue is not None:
        known, learnt = consult(state.catalogue, event, plan.kind.category)
    identity = identify(known)
    rules = plan.anonymous if identity.user_id is None else plan.identified
    ruling = rules.ruling(known)
    key = user_key(identity)
    message_id = message_id_of(event.event.id, value)

    withheld: DropReason | Reject | None = None
    if ruling.decision is not KEEP or identity.user_id is None:
        withheld = _withhold(plan, ruling, identity, key, message_id)
    mark = None
    if withheld is None and (state.tracked_users is not None or ruling.decision.verdict is Verdict.TRACKED_ONLY):
        withheld, mark = _track(message, ruling, key, state.tracked_users)
    if isinstance(withheld, Reject):
        return withheld

    change = None if mark is None and learnt is None else StateChange(mark, learnt)
    shadows = rules.shadows_before(ruling, known) if rules.shadows else ()
    if withheld is not None:
        return Drop(plan.kind, withheld, ruling.rule, key, change, shadows)
    return Keep(plan, known, identity, key, message_id, ruling.rule, change, shadows, known is not event)


def _withhold(
    plan: Plan, ruling: Ruling, identity: Identity, key: bytes, message_id: str
) -> DropReason | Reject | None:
    """Drop or reject by rule, by sample, for want of an id, or by the policy for anonymous events; None to go on."""
    verdict = ruling.decision.verdict
    if verdict is Verdict.DROP:
        return DropReason.RULE
    if verdict is Verdict.SAMPLE and not in_sample(ruling.decision, key, message_id):
        return DropReason.SAMPLED_OUT
    return None if identity.user_id is not None else _withhold_unidentified(plan, identity)


def _withhold_unidentified(plan: Plan, identity: Identity) -> DropReason | Reject | None:
    if identity.anonymous_id is None:
        return Reject(plan.kind, RejectReason.NO_USER)
    outcomes: dict[AnonymousPolicy, DropReason | Reject | None] = {
        AnonymousPolicy.DELIVER: None,
        AnonymousPolicy.DROP: DropReason.ANONYMOUS,
        AnonymousPolicy.REJECT: Reject(plan.kind, RejectReason.ANONYMOUS),
    }
    return outcomes[plan.anonymous_policy]


def _track(
    message: Message, ruling: Ruling, key: bytes, tracked_users: TrackedUsers | None
) -> tuple[DropReason | None, Mark | None]:
    """Ask whether the user was tracked this month by an earlier message; what is kept marks who was not."""
    if tracked_users is None:
        return DropReason.NOT_TRACKED, None
    marked_at = tracked_users.marked_at(key, message.timestamp)
    if marked_at is not None and marked_at < message.offset:
        return None, None
    if ruling.decision.verdict is Verdict.TRACKED_ONLY:
        return DropReason.NOT_TRACKED, None
    if marked_at == message.offset:
        return None, None
    return None, tracked_users.mark_of(key, message.timestamp, message.offset)
