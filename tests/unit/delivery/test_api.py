"""The contract that destinations implement, and Segment's implementation."""

from __future__ import annotations

import inspect

import pytest

from pipeline.delivery.api import Api
from tests.fakes.segment import API

OPERATIONS = ("examine", "build_body", "decide", "connect", "probe")
VALUES = ("name", "title", "stage", "reject_reasons", "limits", "max_seconds_ahead", "max_answer_bytes")


def test_the_contract_has_five_operations_and_the_values_that_they_need() -> None:
    members = {name for name in vars(Api) if not name.startswith("_")}
    assert members == {*OPERATIONS, *VALUES}


@pytest.mark.parametrize("name", VALUES)
def test_the_contract_describes_every_value(name: str) -> None:
    assert f"\n    {name}: " in inspect.cleandoc(Api.__doc__ or "")


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_contract_describes_every_operation(name: str) -> None:
    assert inspect.getdoc(getattr(Api, name))


def test_segment_implements_the_contract() -> None:
    destination: Api = API
    assert {name for name in (*OPERATIONS, *VALUES) if not hasattr(destination, name)} == set()
    assert destination.name == destination.name.lower()
