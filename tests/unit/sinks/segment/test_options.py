from __future__ import annotations

import pytest
from pydantic import SecretStr

from pipeline.delivery.options import OptionsError, endpoint_problem
from pipeline.settings.choices import SegmentRegion
from pipeline.sinks.segment.options import ENDPOINTS, SegmentOptions
from tests.fakes.segment import WRITE_KEY, options


def test_every_region_has_an_endpoint_that_can_be_used() -> None:
    problems = {region: endpoint_problem(ENDPOINTS[region], example="") for region in SegmentRegion}
    assert problems == dict.fromkeys(SegmentRegion)


def test_the_defaults_can_be_used() -> None:
    made = SegmentOptions(endpoint=ENDPOINTS[SegmentRegion.US], write_key=SecretStr(WRITE_KEY))
    assert (made.max_batch_bytes, made.max_batch_records, made.gzip) == (475_000, 2_500, False)


@pytest.mark.parametrize(
    ("option", "value", "problem"),
    [
        ("max_batch_bytes", 39_999, "from 40000 to 500000"),
        ("max_batch_bytes", 500_001, "from 40000 to 500000"),
        ("max_batch_records", 0, "from 1 to 2500"),
        ("max_batch_records", 2_501, "from 1 to 2500"),
    ],
)
def test_requests_that_segment_would_throw_away_are_refused(option: str, value: int, problem: str) -> None:
    with pytest.raises(OptionsError, match=problem) as refused:
        options(**{option: value})
    assert [mistake.option for mistake in refused.value.mistakes] == [option]


def test_a_host_without_a_path_is_refused_with_segments_own_address_as_the_example() -> None:
    with pytest.raises(OptionsError, match=r"for example https://api\.segment\.io/v1/batch"):
        options(endpoint="https://proxy.example")


@pytest.mark.parametrize("key", ["", "abc123", WRITE_KEY + "\n"])
def test_a_write_key_of_the_wrong_shape_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(OptionsError, match="write_key: has ") as refused:
        options(write_key=SecretStr(key))
    assert [mistake.option for mistake in refused.value.mistakes] == ["write_key"]
    assert WRITE_KEY[:8] not in str(refused.value)


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(OptionsError) as refused:
        options(endpoint="", write_key=SecretStr(""), lanes=0)
    assert [mistake.option for mistake in refused.value.mistakes] == ["endpoint", "lanes", "write_key"]


def test_the_write_key_does_not_show() -> None:
    assert WRITE_KEY not in repr(options())
