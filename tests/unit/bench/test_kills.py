from __future__ import annotations

import json
from contextlib import nullcontext

import pytest

from tests.bench import kills
from tests.bench.cluster import Cluster
from tests.bench.kills import Killed, compare_kills, duplicates_by_kill
from tests.bench.runs import Contestant, RunError
from tests.bench.verdicts import MOST_DUPLICATES_A_KILL, kills_verdicts
from tests.bench.written_records import Copy


def copies(partition: int, *sources: int) -> list[Copy]:
    """Return records of one partition from offset 0 on, made from the given raw offsets."""
    return [Copy(partition, offset, (partition, source)) for offset, source in enumerate(sources)]


def killed(*duplicates: int, lost: int = 0, before: int = 0) -> Killed:
    return Killed(events=9_000, duplicates=duplicates, duplicates_before=before, lost=lost)


def test_a_record_that_is_written_again_belongs_to_the_kill_before_it() -> None:
    written = copies(0, 0, 1, 2, 1, 2, 3, 4, 4, 5)
    assert duplicates_by_kill(written, [{0: 3}, {0: 7}]) == [0, 2, 1]


def test_kills_are_distinguished_in_each_partition_by_its_own_end() -> None:
    written = [*copies(0, 0, 0), *copies(1, 0, 1, 2, 2)]
    assert duplicates_by_kill(written, [{0: 1, 1: 2}, {0: 2, 1: 3}]) == [0, 1, 1]


def test_the_same_offset_of_another_partition_is_another_event() -> None:
    assert duplicates_by_kill([*copies(0, 0, 1), *copies(1, 0, 1)], [{0: 0, 1: 0}]) == [0, 0]


def test_a_third_copy_counts_for_its_own_kill() -> None:
    assert duplicates_by_kill(copies(0, 0, 0, 0), [{0: 1}, {0: 2}]) == [0, 1, 1]


def test_what_a_killed_process_had_sent_may_arrive_after_its_end_was_read() -> None:
    late = copies(0, 0, 1, 0, 1)
    assert duplicates_by_kill(late, [{0: 1}]) == [0, 2]


def test_a_record_that_is_written_twice_before_any_kill_is_counted_apart() -> None:
    assert duplicates_by_kill(copies(0, 0, 0, 1), [{0: 3}]) == [1, 0]
    assert ", 1 more without a kill" in str(killed(0, before=1))


def test_a_kill_above_the_bar_is_not_hidden_by_the_others() -> None:
    (verdict,) = kills_verdicts(killed(0, 0, MOST_DUPLICATES_A_KILL + 1, 0, 0))
    assert not verdict.passed


def test_as_many_duplicates_as_the_bar_after_every_kill_pass() -> None:
    (verdict,) = kills_verdicts(killed(*[MOST_DUPLICATES_A_KILL] * 5))
    assert verdict.passed


def test_the_report_has_the_worst_kill_and_the_mean() -> None:
    figures = json.loads(json.dumps(killed(1, 2, 6, lost=4).figures()))
    assert figures["duplicates_per_kill"] == 3
    assert figures["most_duplicates_a_kill"] == 6
    assert figures["duplicates_by_kill"] == [1, 2, 6]
    assert figures["lost"] == 4


@pytest.mark.parametrize(
    ("processor", "stock_faust", "fails"), [(0, 0, False), (0, 7, False), (1, 0, True)], ids=["none", "Faust's", "ours"]
)
def test_an_event_that_the_processor_loses_fails_the_run(
    processor: int,
    stock_faust: int,
    fails: bool,  # noqa: FBT001
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost = {Contestant.PROCESSOR: processor, Contestant.STOCK_FAUST: stock_faust}
    monkeypatch.setattr(kills, "_killed", lambda _cluster, contestant: killed(0, lost=lost[contestant]))
    messages: list[str] = []
    with pytest.raises(RunError, match="lost 1 events") if fails else nullcontext():
        compare_kills(Cluster("127.0.0.1:9"), tell=messages.append)
    assert len(messages) == 2


@pytest.mark.parametrize("count", [1, 5])
def test_the_kills_are_counted(count: int) -> None:
    assert killed(*[0] * count).figures()["kills"] == count
