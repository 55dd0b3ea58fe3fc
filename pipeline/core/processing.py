"""The whole path of one message, on one screen. Start here.

Every message has exactly one outcome, whatever its bytes. The same message, policy and state always have the same
outcome, byte for byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from pipeline.core.catalogue import Catalogue, consult
from pipeline.core.events import Event, decode
from pipeline.core.filters import in_sample
from pipeline.core.identity import AnonymousPolicy, Identity, identify, ignored_external_ids, user_key
from pipeline.core.ids import IgnoredId
from pipeline.core.outcomes import Deliver, Drop, DropReason, Outcome, Reject, RejectReason, StateChange
from pipeline.core.policy import Plan
from pipeline.core.rules import KEEP, Verdict
from pipeline.core.timestamps import own_time, stored_time
from pipeline.core.tracking import Mark, TrackedUsers

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.core.flaws import Flaws
    from pipeline.core.indexes import Ruling
    from pipeline.core.messages import Message
    from pipeline.core.policy import Policy


class State(msgspec.Struct, frozen=True):
    """What is remembered of earlier messages. Without tracked users, `tracked_only` keeps no event."""

    tracked_users: TrackedUsers | None = None
    catalogue: Catalogue | None = None


STATELESS: Final = State()


class Keep(msgspec.Struct, frozen=True, gc=False):
    """An event to deliver, with everything that its record is built from."""

    plan: Plan
    event: Event
    identity: Identity
    user_key: bytes
    message_id: str
    rule: int | None
    change: StateChange | None
    shadows: tuple[int, ...]
    filled: bool
    ignored: tuple[IgnoredId, ...]


def process(
    message: Message,
    policy: Policy,
    state: State,
    decode: Callable[[bytes], Event | RejectReason] = decode,
) -> Outcome:
    """Return the outcome of one message, with its record if it is delivered.

    `decode` reads the body: JSON by default, or another format of the raw topic (`pipeline.core.avro`).
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
    event_time = own_time(facts.timestamp, facts.datetime)
    timestamp = event_time or stored_time(message.timestamp)
    plan, change, ignored = kept.plan, kept.change, kept.ignored
    record = plan.build_record(kept.event, kept.identity, kept.message_id, timestamp, message.timestamp)
    if not isinstance(record, bytes):
        return Reject(plan.kind, record, ignored)
    is_timed = event_time is not None
    return Deliver(plan.kind, kept.user_key, record, kept.rule, change, kept.shadows, kept.filled, ignored, is_timed)


def judge(event: Event, value: bytes, message: Message, policy: Policy, state: State) -> Keep | Drop | Reject:
    """Return whether a decoded event is kept, dropped or rejected. `value` is the body that it was decoded from."""
    plan = policy.plan_for(event.event.kind)
    if plan.refusal is not None:
        return Reject(plan.kind, plan.refusal, _ignored(event, policy) if plan.kind.name else ())

    known, learnt = event, None
    if state.catalogue is not None:
        known, learnt = consult(state.catalogue, event, plan.kind.category)
    identity = identify(known, policy.empty_ids)
    # Nearly every event has one external id, or the same one twice. A function call would cost 100 ns.
    facts, person, user_id = event.event, event.user, identity.user_id
    is_usual = (
        user_id is not None
        and user_id is facts.external_id
        and event.flaws is None
        and (person is None or person.external_id is None or person.external_id == user_id)
        and not facts.external_user_id
        and not event.external_user_id
        and (person is None or not person.external_user_id)
    )
    ignored = () if is_usual else _ignored(event, policy)
    rules = plan.anonymous if user_id is None else plan.identified
    ruling = rules.ruling(known) if rules.indexes else rules.otherwise
    key = user_key(identity) if user_id is None else user_id.encode()
    message_id = plan.message_id_of(facts.id, value)

    withheld: DropReason | RejectReason | None = None
    mark = None
    if ruling.decision is not KEEP:
        withheld = _withhold(ruling, key, message_id)
    if withheld is None and user_id is None:
        withheld = _withhold_unidentified(plan.anonymous_policy, identity, event.flaws)
    if withheld is None and (ruling.decision is not KEEP or state.tracked_users is not None):
        withheld, mark = _track(message, ruling, key, state.tracked_users, is_counted=plan.is_counted)
    if withheld is not None and isinstance(withheld, RejectReason):
        return Reject(plan.kind, withheld, ignored)

    change = None if mark is None and learnt is None else StateChange(mark, learnt)
    shadows = rules.shadows_before(ruling, known) if rules.shadows else ()
    if withheld is not None:
        return Drop(plan.kind, withheld, ruling.rule, key, change, shadows, ignored)
    return Keep(plan, known, identity, key, message_id, ruling.rule, change, shadows, known is not event, ignored)


def _ignored(event: Event, policy: Policy) -> tuple[IgnoredId, ...]:
    of_identity = tuple(ignored_external_ids(event, policy.empty_ids))
    return of_identity if event.flaws is None else event.flaws.ignored + event.flaws.unreadable + of_identity


def _withhold(ruling: Ruling, key: bytes, message_id: str) -> DropReason | None:
    """Return the reason if a rule or a sample drops the event; None otherwise."""
    verdict = ruling.decision.verdict
    if verdict is Verdict.DROP:
        return DropReason.RULE
    if verdict is Verdict.SAMPLE and not in_sample(ruling.decision, key, message_id):
        return DropReason.SAMPLED_OUT
    return None


def _withhold_unidentified(
    policy: AnonymousPolicy, identity: Identity, flaws: Flaws | None
) -> DropReason | RejectReason | None:
    """Return the reason if an event without a userId is dropped or rejected; None otherwise."""
    if flaws is not None and flaws.unreadable:
        return RejectReason.UNREADABLE_EXTERNAL_ID  # sent as anonymous, its user would be billed twice
    if identity.anonymous_id is None:
        return RejectReason.NO_USER
    match policy:
        case AnonymousPolicy.DELIVER:
            return None
        case AnonymousPolicy.DROP:
            return DropReason.ANONYMOUS
        case AnonymousPolicy.REJECT:
            return RejectReason.ANONYMOUS


def _track(
    message: Message, ruling: Ruling, key: bytes, tracked_users: TrackedUsers | None, *, is_counted: bool
) -> tuple[DropReason | None, Mark | None]:
    """Return the reason to drop if the user is not tracked yet, and the mark that a kept event makes for a new user.

    Events that the destination does not bill (`is_counted`) make no mark.
    """
    needs_tracked_user = ruling.decision.verdict is Verdict.TRACKED_ONLY
    if tracked_users is None:
        return DropReason.NOT_TRACKED if needs_tracked_user else None, None
    marked_at = tracked_users.marked_at(key, message.timestamp)
    if marked_at is not None and marked_at < message.offset:
        return None, None
    if needs_tracked_user:
        return DropReason.NOT_TRACKED, None
    if marked_at == message.offset or not is_counted:
        return None, None
    return None, tracked_users.mark_of(key, message.timestamp, message.offset)
