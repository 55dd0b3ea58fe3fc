from __future__ import annotations

import pytest
from pydantic import SecretStr

from pipeline.delivery.options import (
    ENDPOINTS,
    SegmentOptions,
    SegmentOptionsError,
    endpoint_problem,
    write_key_problem,
)
from pipeline.settings.choices import SegmentRegion
from tests.fakes.segment import WRITE_KEY, options


def test_every_region_has_an_endpoint_that_can_be_used() -> None:
    assert {region: endpoint_problem(ENDPOINTS[region]) for region in SegmentRegion} == dict.fromkeys(SegmentRegion)


def test_the_defaults_can_be_used() -> None:
    made = SegmentOptions(endpoint=ENDPOINTS[SegmentRegion.US], write_key=SecretStr(WRITE_KEY))
    assert (made.max_batch_bytes, made.max_batch_records, made.gzip) == (475_000, 2_500, False)


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("", "has 0 characters"),
        ("abc123", "has 6 characters"),
        (WRITE_KEY + "0", "has 33 characters"),
        (WRITE_KEY + "\n", "white space around"),
        (WRITE_KEY[:-1] + "-", "other than letters and digits"),
        (WRITE_KEY[:-1] + "é", "other than letters and digits"),
        (WRITE_KEY[:-1] + "٣", "other than letters and digits"),
    ],
)
def test_a_write_key_of_the_wrong_shape_is_refused_without_showing_it(key: str, problem: str) -> None:
    with pytest.raises(SegmentOptionsError, match=problem) as refused:
        options(write_key=SecretStr(key))
    assert [mistake.option for mistake in refused.value.mistakes] == ["write_key"]
    assert WRITE_KEY[:8] not in str(refused.value)


def test_a_write_key_is_32_letters_and_digits() -> None:
    assert write_key_problem(WRITE_KEY) is None


@pytest.mark.parametrize(
    ("endpoint", "problem"),
    [
        ("", "https://"),
        ("api.segment.io/v1/batch", "https://"),
        ("ftp://api.segment.io/v1/batch", "https://"),
        ("https:///v1/batch", "name a host"),
        ("https://api.segment.io", "whole address"),
        ("https://api.segment.io/", "whole address"),
        ("https://user:secret@api.segment.io/v1/batch", "user name"),
        ("https://api.segment.io:port/v1/batch", "is not an address"),
        ("https://[::1/v1/batch", "is not an address"),
        ("http://[]@/v1/batch", "is not an address"),
        ("https://api segment.io/v1/batch", "host that can exist"),
        ("https://api..segment.io/v1/batch", "host that can exist"),
        ("https://-api.segment.io/v1/batch", "host that can exist"),
        (f"https://{'a' * 64}.io/v1/batch", "host that can exist"),
    ],
)
def test_an_endpoint_that_cannot_be_used_is_refused(endpoint: str, problem: str) -> None:
    with pytest.raises(SegmentOptionsError, match=problem) as refused:
        options(endpoint=endpoint)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://127.0.0.1:8080/v1/batch",
        "http://[::1]:8080/v1/batch",
        "http://segment_stand-in:8080/v1/batch",
        "https://proxy.example./segment",
        "https://größe.example/segment",
    ],
)
def test_an_endpoint_of_ones_own_may_be_anywhere(endpoint: str) -> None:
    assert options(endpoint=endpoint).endpoint == endpoint


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("max_batch_bytes", 39_999),
        ("max_batch_bytes", 500_001),
        ("max_batch_records", 0),
        ("max_batch_records", 2_501),
        ("lanes", 0),
        ("lanes", 65),
        ("flush_interval_seconds", 0.0),
        ("flush_interval_seconds", float("nan")),
        ("request_timeout_seconds", float("inf")),
        ("retry_base_seconds", -1.0),
        ("retry_max_seconds", 0.0),
        ("retry_after_cap_seconds", 0.0),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(option: str, value: float) -> None:
    with pytest.raises(SegmentOptionsError) as refused:
        options(**{option: value})
    assert [mistake.option for mistake in refused.value.mistakes] == [option]


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(SegmentOptionsError) as refused:
        options(endpoint="", write_key=SecretStr(""), lanes=0)
    assert [mistake.option for mistake in refused.value.mistakes] == ["endpoint", "write_key", "lanes"]


def test_the_write_key_does_not_show() -> None:
    assert WRITE_KEY not in repr(options())
