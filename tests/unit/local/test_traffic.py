from __future__ import annotations

from collections import Counter
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING

import orjson
import pytest

from pipeline.core.destinations.mixpanel.builders import MixpanelRecords
from pipeline.core.kinds import KINDS, SPELLINGS
from pipeline.core.message_ids import content_id
from pipeline.core.outcomes import Deliver, Drop, Outcome, Reject
from pipeline.core.policy import Policy
from pipeline.core.presets import Preset, preset_rules
from pipeline.core.processing import STATELESS, State, process
from pipeline.local.traffic import LARGEST_MESSAGE_BYTES, traffic
from pipeline.local.traffic_population import PRIVATE_MARKS
from pipeline.local.traffic_truth import PRESETS, Fate, Fates, Sort, TrafficMessage, Truth
from pipeline.local.traffic_window import LARGEST_RECORD_BYTES
from tests.builders import SEGMENT, RawMessage
from tests.fakes.tracking import PlainTrackedUsers

if TYPE_CHECKING:
    from pipeline.core.record_builders import RecordBuilders

EVENTS = 30_000
HEADER_BYTES = 150
OUTCOMES: dict[Fate, type[Outcome]] = {Fate.FORWARDED: Deliver, Fate.DROPPED: Drop, Fate.REJECTED: Reject}


@cache
def sample() -> tuple[TrafficMessage, ...]:
    return tuple(traffic(seed=1, events=EVENTS))


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert list(traffic(seed=7, events=500)) == list(traffic(seed=7, events=500))


def test_endless_traffic_happens_now_and_has_no_end() -> None:
    moments = iter(range(1_800_000_000_000, 1_900_000_000_000, 1_000))
    made = list(islice(traffic(seed=3, events=None, now_ms=lambda: next(moments)), 2_000))
    bodies = b"".join(message.value or b"" for message in made)
    assert b"1800000" in bodies
    assert b"2026-01-01" not in bodies
    assert b"17672" not in bodies


def test_another_seed_gives_other_bytes() -> None:
    first, second = ({message.value for message in traffic(seed=seed, events=500)} for seed in (1, 2))
    assert len(first & second) < 50


@pytest.mark.parametrize("events", [1, 19, 4_321])
def test_there_are_exactly_as_many_messages_as_were_asked_for(events: int) -> None:
    assert sum(1 for _ in traffic(seed=3, events=events)) == events


def test_nearly_every_kind_is_met_and_each_is_a_kind_that_the_pipeline_knows() -> None:
    kinds = {message.kind for message in sample() if message.sort is Sort.EVENT}
    assert kinds <= set(KINDS)
    assert len(kinds) >= len(KINDS) - 3


def test_older_spellings_are_met() -> None:
    old = [spelling.encode() for spelling in SPELLINGS if spelling not in KINDS]
    met = [spelling for spelling in old if any(b'"' + spelling + b'"' in (each.value or b"") for each in sample())]
    assert len(met) >= 3


def test_every_body_shape_is_met() -> None:
    shapes: Counter[str] = Counter()
    for message in sample():
        if message.sort is Sort.EVENT and message.value is not None:
            shapes[next(iter(orjson.loads(message.value)))] += 1
    assert set(shapes) == {"event", "event.kind", "Event Data", "event_kind"}


def test_every_oddity_is_met() -> None:
    sorts = Counter(message.sort for message in sample())
    assert all(sorts[sort] > 5 for sort in Sort)
    assert any(message.sort is Sort.EVENT and message.message_id is None for message in sample())


def test_some_people_are_anonymous_and_keyed_by_their_subscription() -> None:
    anonymous = [message for message in sample() if message.user and not message.user.startswith("u-")]
    assert anonymous
    assert all(message.key == message.user.encode() for message in anonymous)


def test_a_few_people_make_much_of_the_engagement() -> None:
    clicks = Counter(each.user for each in sample() if each.kind.endswith((".clicked", ".opened")))
    most_active = clicks.most_common(max(1, len({each.user for each in sample()}) // 20))
    assert sum(count for _, count in most_active) > 0.2 * clicks.total()


def test_personal_data_is_in_the_bodies_so_that_a_leak_could_be_seen() -> None:
    for mark in PRIVATE_MARKS:
        assert any(mark in (message.value or b"") for message in sample())


@pytest.mark.parametrize(("destination", "records"), [("segment", SEGMENT), ("mixpanel", MixpanelRecords())])
@pytest.mark.parametrize("preset", Preset)
def test_the_core_agrees_with_the_generators_truth_about_every_message(
    preset: Preset, destination: str, records: RecordBuilders
) -> None:
    policy, fates, tracked_users = (
        Policy(records=records, rules=preset_rules(preset)),
        Fates(destination, preset.value),
        PlainTrackedUsers(),
    )
    for offset, message in enumerate(sample()):
        raw = RawMessage(key=message.key, value=message.value, offset=offset)
        outcome = process(raw, policy, State(tracked_users))
        assert isinstance(outcome, OUTCOMES[fates.of(message)]), message
        if isinstance(outcome, Deliver) and outcome.change is not None and outcome.change.mark is not None:
            tracked_users.mark(outcome.change.mark)


def test_what_is_forwarded_is_keyed_by_its_user_named_by_its_id_small_and_free_of_personal_data() -> None:
    policy = Policy(records=SEGMENT)
    for message in sample():
        outcome = process(RawMessage(key=message.key, value=message.value), policy, STATELESS)
        if isinstance(outcome, Deliver):
            assert message.key == outcome.user_key == message.user.encode()
            record = orjson.loads(outcome.record)
            assert record["messageId"] == (message.message_id or content_id(message.value or b""))
            assert len(message.value or b"") <= LARGEST_MESSAGE_BYTES
            assert len(outcome.record) + len(outcome.user_key) + HEADER_BYTES <= LARGEST_RECORD_BYTES
            assert not any(mark in outcome.record for mark in PRIVATE_MARKS)


def test_the_presets_of_the_truth_are_the_presets_of_the_core() -> None:
    assert set(PRESETS) == {preset.value for preset in Preset}


def test_garbage_is_of_many_kinds() -> None:
    bodies = {(message.value or b"")[:12] for message in sample() if message.sort is Sort.UNREADABLE}
    assert len(bodies) >= 5


def truth(destination: str = "segment") -> Truth:
    return Truth(
        destination=destination,
        preset="curb-sent-and-displayed",
        partitions=2,
        id_of_body=lambda body: f"of-{body.decode()}",
    )


def event(kind: str, message_id: str | None, user: str = "u-1", value: bytes = b"{}") -> TrafficMessage:
    return TrafficMessage(user.encode(), value, Sort.EVENT, kind, user, message_id)


def test_the_truth_counts_fates_by_partition_and_offset() -> None:
    told = truth()
    told.add(event("message.push.sent", "a"), 0)
    told.add(event("message.push.clicked", "b"), 0)
    told.add(TrafficMessage(b"u-1", b"?", Sort.UNREADABLE), 1)
    told.add(TrafficMessage(b"u-1", None, Sort.TOMBSTONE), 1)
    assert told.fates == {
        0: bytearray([Fate.DROPPED, Fate.FORWARDED]),
        1: bytearray([Fate.REJECTED, Fate.DROPPED]),
    }
    assert told.written == 4
    assert told.counts == {Fate.DROPPED: 2, Fate.FORWARDED: 1, Fate.REJECTED: 1}


def test_the_truth_takes_the_first_message_with_an_id_for_the_one_that_counts() -> None:
    told = truth()
    for partition in (1, 0, 1):
        told.add(event("message.push.clicked", "same", user=f"u-{partition}"), partition)
    assert told.ids == {"same": (1, 0, "u-1")}
    assert told.repeated == {"same": 2}


def test_the_truth_names_an_event_without_an_id_by_its_body() -> None:
    told = truth()
    for value in (b"x", b"x", b"y"):
        told.add(event("message.push.clicked", None, value=value), 0)
    assert set(told.ids) == {"of-x", "of-y"}
    assert told.repeated == {"of-x": 1}


def test_the_truth_counts_the_users_of_each_preset() -> None:
    told = truth()
    told.add(event("message.push.sent", "a", user="u-1"), 0)
    told.add(event("message.push.received", "b", user="u-2"), 0)
    told.add(event("message.push.clicked", "c", user="u-3"), 0)
    told.add(event("message.push.sent", "d", user="u-3"), 0)
    told.add(event("message.push.sent", "e", user="u-1"), 0)
    assert {preset: fates.users for preset, fates in told.under.items()} == {
        "keep-all": {"u-1", "u-2", "u-3"},
        "curb-sent-and-displayed": {"u-2", "u-3"},
        "engagement-only": {"u-3"},
        "tracked-only": {"u-3"},
        "exempt-delivery": {"u-3"},
    }
    assert told.forwarded_under == {
        "keep-all": 5,
        "curb-sent-and-displayed": 2,
        "engagement-only": 1,
        "tracked-only": 2,
        "exempt-delivery": 1,
    }


def test_at_mixpanel_the_truth_counts_only_users_of_events_that_are_not_exempt() -> None:
    told = truth("mixpanel")
    told.add(event("message.push.sent", "a", user="u-1"), 0)
    told.add(event("message.push.failed", "b", user="u-2"), 0)
    told.add(event("message.push.clicked", "c", user="u-3"), 0)
    assert {preset: fates.users for preset, fates in told.under.items()} == {
        "keep-all": {"u-2", "u-3"},
        "curb-sent-and-displayed": {"u-2", "u-3"},
        "engagement-only": {"u-3"},
        "tracked-only": {"u-3"},
        "exempt-delivery": {"u-3"},
    }
    assert told.forwarded_under["exempt-delivery"] == 2
