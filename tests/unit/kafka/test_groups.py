from __future__ import annotations

import pytest

from pipeline.kafka.groups import GroupView, KnownSource, Source, find_objection
from pipeline.settings.choices import GroupStart

RAW = Source(topic="raw", partitions=2, outcome="records", outcome_partitions=2)
RECORDS = Source(topic="records", partitions=2)
WHOLE = {0: 0, 1: 0}
TRIMMED = {0: 0, 1: 7}


def view(
    committed: dict[int, int], starts: dict[int, int], *, written: bool = False, foreign: frozenset[int] = frozenset()
) -> GroupView:
    return GroupView(committed=committed, starts=starts, outcome_written=written, foreign=foreign)


@pytest.mark.parametrize("start", list(GroupStart))
def test_a_group_with_every_offset_goes_on(start: GroupStart) -> None:
    assert find_objection(view({0: 5, 1: 9}, TRIMMED, written=True), RAW, start) is None


@pytest.mark.parametrize("source", [RAW, RECORDS])
def test_a_first_start_begins_at_the_start_of_the_log(source: Source) -> None:
    assert find_objection(view({}, WHOLE), source, GroupStart.AUTO) is None


def test_a_first_processor_may_come_to_a_raw_topic_that_has_lost_its_beginning() -> None:
    assert find_objection(view({}, TRIMMED), RAW, GroupStart.AUTO) is None


def test_a_group_that_wrote_records_and_has_no_offsets_was_lost() -> None:
    told = find_objection(view({}, WHOLE, written=True), RAW, GroupStart.AUTO)
    assert told == "it has none for topic `raw`, but `records` has already been written to"


def test_records_that_were_removed_before_a_sink_has_any_offset_are_missed() -> None:
    told = find_objection(view({}, TRIMMED), RECORDS, GroupStart.AUTO)
    assert told == "it has none, and messages that it may not have read were removed from records[1]"


def test_one_message_that_was_removed_is_missed_too() -> None:
    removed = {0: 0, 1: 1}
    told = find_objection(view({}, removed), RECORDS, GroupStart.AUTO)
    assert told == "it has none, and messages that it may not have read were removed from records[1]"
    told = find_objection(view({0: 4}, removed), RECORDS, GroupStart.AUTO)
    assert told == "it has none for records[1], although it has some for others"


def test_a_group_that_must_have_offsets_never_begins() -> None:
    told = find_objection(view({}, WHOLE), RECORDS, GroupStart.COMMITTED)
    assert told == "it has none for topic `records`, and PIPELINE_GROUP_START requires them"


@pytest.mark.parametrize("start", [GroupStart.AUTO, GroupStart.COMMITTED])
def test_an_offset_that_is_missing_between_others_has_vanished(start: GroupStart) -> None:
    told = find_objection(view({1: 4}, WHOLE), RECORDS, start)
    assert told == "it has none for records[0], although it has some for others"


@pytest.mark.parametrize("start", [GroupStart.AUTO, GroupStart.COMMITTED])
def test_a_partition_that_was_added_begins_at_its_start_as_long_as_nothing_was_removed_of_it(start: GroupStart) -> None:
    assert find_objection(view({0: 4}, WHOLE), RECORDS, start) is None
    assert find_objection(view({0: 4}, TRIMMED), RECORDS, start) is not None


def test_an_offset_of_a_recreated_topic_is_no_offset() -> None:
    told = find_objection(view({0: 4}, WHOLE, foreign=frozenset({1})), RECORDS, GroupStart.AUTO)
    assert told == "the topic of records[1] was deleted and recreated since then"


def test_an_operator_may_start_again_whatever_is_missing() -> None:
    assert find_objection(view({1: 4}, TRIMMED, written=True, foreign=frozenset({0})), RAW, GroupStart.EARLIEST) is None


def test_a_commit_says_which_topic_it_is_of_where_the_broker_tells() -> None:
    assert KnownSource(partitions=1, begun=frozenset(), identity=b"\x01\x02").commit_note == "topic-id=0102"
    assert KnownSource(partitions=1, begun=frozenset()).commit_note == ""
