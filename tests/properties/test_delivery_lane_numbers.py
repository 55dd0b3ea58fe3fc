from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from pipeline.delivery.sink import lane_number


@given(lanes=st.integers(1, 64), rows=st.integers(1, 8))
def test_one_worker_spreads_its_partitions_evenly_over_its_lanes(lanes: int, rows: int) -> None:
    assert Counter(lane_number(partition, lanes) for partition in range(rows * lanes)) == dict.fromkeys(
        range(lanes), rows
    )


@given(lanes=st.integers(1, 64), worker=st.integers(0, 63))
def test_as_many_workers_as_lanes_leave_no_lane_idle(lanes: int, worker: int) -> None:
    partitions = range(worker % lanes, lanes * lanes, lanes)
    assert {lane_number(partition, lanes) for partition in partitions} == set(range(lanes))
