"""The destinations over which the tests of delivery run: Segment, and a second one that is unlike it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.fakes.array_api import ArrayApi
from tests.fakes.segment import API

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.delivery.api import Api

APIS: Final[Mapping[str, Api]] = {"segment": API, "array": ArrayApi()}
with_both_apis: Final = pytest.mark.parametrize("api", APIS.values(), ids=APIS)
