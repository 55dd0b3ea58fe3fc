"""Small traffic and sets of rules for the tests of the tools."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from pipeline.core.billing_month import BillingMonth
from pipeline.core.classification import Destination
from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.policy import Policy
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.rules_file import parse_rules
from pipeline.tools.what_if.accounts import Account
from pipeline.tools.what_if.counting import Count
from pipeline.tools.what_if.tally import LAST_MS, RuleSet
from tests.builders import SEGMENT, RawMessage, encode, raw_event

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.core.record_builders import RecordBuilders
    from pipeline.state.message_catalogue import MessageCatalogue
    from pipeline.tools.what_if.findings import Findings

EVERYTHING = RuleSet(name="keep-all", rules=preset_rules(Preset.KEEP_ALL))
ENGAGEMENT = RuleSet(name="engagement-only", rules=preset_rules(Preset.ENGAGEMENT_ONLY))


EXEMPT = RuleSet(name="exempt-delivery", rules=preset_rules(Preset.EXEMPT_DELIVERY))


def account(destination: Destination, policy: Policy | None = None, *, start_day: int = 1) -> Account:
    """Return the account of a destination with the default settings."""
    records: dict[Destination, RecordBuilders] = {Destination.SEGMENT: SEGMENT, Destination.MIXPANEL: MixpanelRecords()}
    return Account(
        destination=destination,
        policy=policy or Policy(records=records[destination]),
        billing_month=BillingMonth(start_day),
    )


def rule_set(text: str, name: str = "new.yaml") -> RuleSet:
    return RuleSet(name=name, rules=parse_rules(text, filename=name))


def happened(user: str, kind: str, at: str = "2026-01-05T10:00", **event: Any) -> RawMessage:
    """Return a message of a user; `at` is the time at which Kafka stored it."""
    milliseconds = round(datetime.fromisoformat(f"{at}+00:00").timestamp() * 1000)
    return RawMessage(value=encode(raw_event(kind, external_id=user, **event)), timestamp=milliseconds)


def findings_of(
    messages: Sequence[RawMessage],
    *sets: RuleSet,
    start_day: int = 1,
    exact_users: int = 1000,
    catalogue: MessageCatalogue | None = None,
    now_ms: int = LAST_MS,
) -> Findings:
    """Count messages for Segment under sets of rules; the first is the baseline."""
    account = Account(
        destination=Destination.SEGMENT,
        policy=Policy(records=SEGMENT),
        billing_month=BillingMonth(start_day),
        catalogue=catalogue,
    )
    (findings,) = all_findings_of(messages, *sets, accounts=[account], exact_users=exact_users, now_ms=now_ms)
    return findings


BOTH = (account(Destination.SEGMENT), account(Destination.MIXPANEL))


def all_findings_of(
    messages: Sequence[RawMessage],
    *sets: RuleSet,
    accounts: Sequence[Account] = BOTH,
    exact_users: int = 1000,
    now_ms: int = LAST_MS,
) -> Sequence[Findings]:
    """Count messages for several destinations under sets of rules; the first is the baseline."""
    count = Count(sets, EVERYTHING, accounts=accounts, exact_users=exact_users, now_ms=now_ms)
    count.count(messages)
    return count.findings("a test")
