"""The checks of the options that all destinations share, with Segment's options."""

from __future__ import annotations

import pytest

from pipeline.delivery.options import OptionsError
from tests.fakes.segment import options


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
    with pytest.raises(OptionsError, match=problem) as refused:
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
        ("max_batch_records", 0),
        ("lanes", 0),
        ("lanes", 65),
        ("flush_interval_seconds", 0.0),
        ("flush_interval_seconds", float("nan")),
        ("request_timeout_seconds", float("inf")),
        ("retry_base_seconds", -1.0),
        ("retry_max_seconds", 0.0),
        ("retry_after_cap_seconds", 0.0),
        ("max_requests_per_second", -1.0),
        ("max_records_per_second", float("inf")),
        ("dead_letter_max_share", 1.1),
        ("dead_letter_window", 0),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(option: str, value: float) -> None:
    with pytest.raises(OptionsError) as refused:
        options(**{option: value})
    assert [mistake.option for mistake in refused.value.mistakes] == [option]


def test_all_mistakes_are_reported_at_once_in_the_order_of_the_options() -> None:
    with pytest.raises(OptionsError) as refused:
        options(lanes=0, max_batch_records=0, endpoint="")
    assert [mistake.option for mistake in refused.value.mistakes] == ["endpoint", "max_batch_records", "lanes"]
