from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pipeline.core.classification import Destination
from pipeline.core.presets import Preset
from pipeline.local.demo_accounts import Arrivals, Check, Sum, checks, counter_check, sums
from pipeline.local.demo_observer import Observed
from pipeline.local.demo_presets import PresetComparison
from pipeline.local.demo_watch import Snapshot
from pipeline.local.traffic_bodies import Fact, nested
from pipeline.local.traffic_population import Person, Subscription
from pipeline.local.traffic_truth import Sort, TrafficMessage, Truth
from pipeline.local.traffic_window import TopicOffsets

if TYPE_CHECKING:
    from collections.abc import Callable

ORDER = "Segment: each user's records were accepted in order"
FATES = "Segment: each message was forwarded, dropped or rejected as expected"
IDS = "Segment has exactly the expected ids"
USERS = "Segment: each id has the expected user"
PARTITION = "Segment: each record is in the partition of its source message"
PROCESSOR, SINK, DESTINATION = "Segment processor", "Segment sink", "Segment"
PRIVACY = "Segment: no email address, phone number or push token left the pipeline"
PRESETS = "Segment: core and generator agree on every preset"

PHONE = Subscription("s-1", "iOS", "token-private-1", "iPhone15,3")


def event(kind: str, message_id: str, user: str) -> TrafficMessage:
    person = Person(user, "o-1", "en", {}, 1.0, {"push": (PHONE,)})
    fact = Fact(kind, message_id, 1_767_225_600_000, 1_767_225_600, person, PHONE, {}, {})
    return TrafficMessage(user.encode(), nested(fact), Sort.EVENT, kind, user, message_id)


MESSAGES = (
    (event("message.push.clicked", "a", "u-1"), 0),
    (event("message.push.sent", "b", "u-1"), 0),
    (event("message.push.received", "c", "u-1"), 0),
    (event("message.push.clicked", "a", "u-1"), 0),
    (event("message.push.clicked", "d", "u-2"), 1),
    (TrafficMessage(b"u-2", b"?", Sort.UNREADABLE), 1),
)


class Run:
    """A run without a fault. A test then adds one."""

    def __init__(self) -> None:
        self.truth = Truth(
            destination="segment", preset="curb-sent-and-displayed", partitions=2, id_of_body=bytes.decode
        )
        self.comparison = PresetComparison()
        for message, partition in MESSAGES:
            list(self.comparison.watching([message]))
            self.truth.add(message, partition)
        self.observed = Observed()
        for partition, offset in ((0, 0), (0, 2), (0, 3), (1, 0)):
            self.observed.add_record(partition, b"{}", record_headers(partition, offset))
        self.observed.add_dead_letter({**record_headers(1, 1), "source-topic": b"raw"}, raw_topic="raw")
        self.arrivals = Arrivals(
            users={"a": "u-1", "d": "u-2", "c": "u-1"}, thrown_away={"duplicate": 1}, faults={}, requests=1
        )

    def sums(self) -> list[Sum]:
        read = TopicOffsets(low={}, high={0: 4, 1: 2}, read={0: 4, 1: 2})
        snapshot = Snapshot(raw=read, records=read, dead_letters=read, records_observed={})
        return sums("Segment", self.truth, self.observed, self.arrivals, snapshot)

    def failing(self) -> set[str]:
        wrong = [each.where for each in self.sums() if not each.adds_up]
        found = checks("Segment", self.truth, self.observed, self.arrivals, self.comparison)
        return {*wrong, *(each.claim for each in found if not each.holds)}


def record_headers(partition: int, offset: int) -> dict[str, bytes]:
    return {"source-partition": b"%d" % partition, "source-offset": b"%d" % offset}


def test_a_run_without_faults_adds_up() -> None:
    run = Run()
    assert run.failing() == set()
    processor, sink, destination = run.sums()
    assert processor.total == ("received", 6)
    assert processor.parts == (("forwarded", 4), ("dropped", 1), ("rejected", 1), ("in flight", 0))
    assert sink.parts == (("accepted", 4), ("rejected", 0), ("in flight", 0))
    assert destination.total == ("distinct ids", 3)
    assert destination.parts == (("forwarded", 4), ("repeated ids", -1), ("rejected by the sink", 0))


def test_redelivery_changes_nothing() -> None:
    run = Run()
    for _ in range(300):
        run.observed.add_record(0, b"{}", record_headers(0, 2))
    assert run.failing() == set()


def spoil_lose_on_the_way_in(run: Run) -> None:
    run.observed.forwarded[0][2] = 0


def spoil_forward_what_is_dropped(run: Run) -> None:
    run.observed.add_record(0, b"{}", record_headers(0, 1))


def spoil_forward_and_reject(run: Run) -> None:
    run.observed.add_dead_letter({**record_headers(0, 0), "source-topic": b"raw"}, raw_topic="raw")


def spoil_forward_what_was_never_written(run: Run) -> None:
    run.observed.add_record(1, b"{}", record_headers(1, 7))


def spoil_lose_on_the_way_out(run: Run) -> None:
    run.arrivals = replace(run.arrivals, users={"a": "u-1", "c": "u-1"})


def spoil_invent(run: Run) -> None:
    run.arrivals = replace(run.arrivals, users={**run.arrivals.users, "strange": "u-9"})


def spoil_exchange_an_id(run: Run) -> None:
    run.arrivals = replace(run.arrivals, users={"a": "u-1", "d": "u-2", "other": "u-1"})


def spoil_mix_users(run: Run) -> None:
    run.arrivals = replace(run.arrivals, users={**run.arrivals.users, "d": "u-1"})


def spoil_order(run: Run) -> None:
    run.arrivals = replace(run.arrivals, users={"c": "u-1", "a": "u-1", "d": "u-2"})


def spoil_move(run: Run) -> None:
    run.observed.add_record(1, b"{}", record_headers(0, 2))


def spoil_leak(run: Run) -> None:
    run.observed.add_record(0, b'{"email":"person.1@private.example"}', record_headers(0, 2))


def spoil_presets(run: Run) -> None:
    run.comparison.tallies[Destination.SEGMENT][Preset.KEEP_ALL].users.add(b"u-9")


def spoil_reject_in_the_sink_what_arrived(run: Run) -> None:
    run.observed.add_dead_letter({**record_headers(0, 0), "source-topic": b"records"}, raw_topic="raw")


@pytest.mark.parametrize(
    ("spoil", "noticed_by"),
    [
        (spoil_lose_on_the_way_in, {PROCESSOR, SINK, DESTINATION, FATES}),
        (spoil_forward_what_is_dropped, {PROCESSOR, SINK, DESTINATION, FATES}),
        (spoil_forward_and_reject, {PROCESSOR, FATES}),
        (spoil_forward_what_was_never_written, {PROCESSOR, SINK, DESTINATION, FATES}),
        (spoil_lose_on_the_way_out, {SINK, DESTINATION, IDS}),
        (spoil_invent, {DESTINATION, IDS}),
        (spoil_exchange_an_id, {SINK, IDS}),
        (spoil_mix_users, {USERS}),
        (spoil_order, {ORDER}),
        (spoil_move, {PARTITION}),
        (spoil_leak, {PRIVACY}),
        (spoil_presets, {PRESETS}),
        (spoil_reject_in_the_sink_what_arrived, {SINK, DESTINATION}),
    ],
)
def test_whatever_goes_wrong_is_noticed(spoil: Callable[[Run], None], noticed_by: set[str]) -> None:
    run = Run()
    spoil(run)
    assert run.failing() == noticed_by


def test_the_workers_counters_must_say_the_same() -> None:
    run = Run()
    counters = {
        "onesignal_pipeline_events_received_total": 6,
        "onesignal_pipeline_events_forwarded_total": 4,
        "onesignal_pipeline_events_dropped_total": 1,
        "onesignal_pipeline_events_rejected_total": 1,
        "onesignal_pipeline_sink_records_received_total": 4,
        "onesignal_pipeline_sink_records_accepted_total": 4,
        "onesignal_pipeline_sink_records_rejected_total": 0,
        "onesignal_pipeline_tracked_users": 2,
    }
    assert counter_check("Segment", counters, run.truth).holds
    assert (
        counter_check("Segment", {**counters, "onesignal_pipeline_events_forwarded_total": 5}, run.truth).exceptions
        == 1
    )
    assert counter_check("Segment", {}, run.truth).exceptions == 7


def test_a_check_with_an_exception_does_not_hold() -> None:
    assert not Check(claim="all is well", exceptions=1).holds
