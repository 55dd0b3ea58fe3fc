"""The whole path of one message, on one screen. Start here.

Every message comes to exactly one outcome, whatever its bytes. The same message, policy and state come to the same
outcome, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pipeline.core.events import Event, decode
from pipeline.core.filters import in_sample
from pipeline.core.identity import AnonymousPolicy, identify, user_key
from pipeline.core.message_ids import message_id_of
from pipeline.core.outcomes import Deliver, Drop, DropReason, Outcome, Reject, RejectReason
from pipeline.core.records import build_record
from pipeline.core.rules import KEEP, Verdict
from pipeline.core.timestamps import event_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.core.identity import Identity
    from pipeline.core.indexes import Ruling
    from pipeline.core.messages import Message
    from pipeline.core.policy import Plan, Policy


class State(msgspec.Struct, frozen=True):
    """What the pipeline remembers of earlier messages. No rule needs any yet."""


STATELESS: Final = State()


def process(
    message: Message,
    policy: Policy,
    state: State,  # noqa: ARG001 -- the seam of stateful rules
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

    facts = event.event
    plan = policy.plan_for(facts.kind)
    if plan.refusal is not None:
        return Reject(plan.kind, plan.refusal)

    identity = identify(event)
    ruling = (plan.anonymous if identity.user_id is None else plan.identified).ruling(event)
    message_id = message_id_of(facts.id, value)
    if ruling.decision is not KEEP or identity.user_id is None:
        withheld = _withhold(plan, ruling, identity, message_id)
        if withheld is not None:
            return withheld

    timestamp = event_time(facts.timestamp, facts.datetime, message.timestamp)
    record = build_record(plan.shape, event, identity, message_id, timestamp)
    if record is None:
        return Reject(plan.kind, RejectReason.RECORD_TOO_LARGE)
    return Deliver(plan.kind, user_key(identity), record, ruling.rule)


def _withhold(plan: Plan, ruling: Ruling, identity: Identity, message_id: str) -> Drop | Reject | None:
    """Drop or reject by rule, by sample, for want of an id, or by the policy for anonymous events; None to go on."""
    verdict = ruling.decision.verdict
    if verdict is Verdict.DROP:
        return Drop(plan.kind, DropReason.RULE, ruling.rule)
    if verdict is Verdict.SAMPLE and not in_sample(ruling.decision, user_key(identity), message_id):
        return Drop(plan.kind, DropReason.SAMPLED_OUT, ruling.rule)
    return None if identity.user_id is not None else _withhold_unidentified(plan, ruling, identity)


def _withhold_unidentified(plan: Plan, ruling: Ruling, identity: Identity) -> Drop | Reject | None:
    if identity.anonymous_id is None:
        return Reject(plan.kind, RejectReason.NO_USER)
    outcomes: dict[AnonymousPolicy, Drop | Reject | None] = {
        AnonymousPolicy.DELIVER: None,
        AnonymousPolicy.DROP: Drop(plan.kind, DropReason.ANONYMOUS, ruling.rule),
        AnonymousPolicy.REJECT: Reject(plan.kind, RejectReason.ANONYMOUS),
    }
    return outcomes[plan.anonymous_policy]
