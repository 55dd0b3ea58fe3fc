from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.fakes.destinations import APIS, SELECTED

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module", params=APIS)
def destination(request: pytest.FixtureRequest) -> Iterator[str]:
    """Run every test of a module that uses this fixture with every destination."""
    SELECTED.api = APIS[request.param]
    yield request.param
    SELECTED.api = APIS["segment"]
