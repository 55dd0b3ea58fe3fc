"""The output of the pipeline for fixed input is unchanged; a change that is meant to change it rewrites the hashes."""

from __future__ import annotations

import json

import pytest

from tests.golden.bytes_out import HASHES, hashes

EXPECTED: dict[str, str] = json.loads(HASHES.read_text("utf-8")) if HASHES.exists() else {}


@pytest.fixture(scope="module")
def found() -> dict[str, str]:
    return hashes()


def test_everything_is_covered(found: dict[str, str]) -> None:
    assert found.keys() == EXPECTED.keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_no_byte_has_changed(found: dict[str, str], name: str) -> None:
    assert found[name] == EXPECTED[name]
