"""The destinations over which the tests of delivery run: Segment, and a second one that is unlike it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.fakes.array_api import ArrayApi
from tests.fakes.segment import API

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.delivery.api import Api
    from pipeline.delivery.limits import RequestLimits

APIS: Final[Mapping[str, Api]] = {"segment": API, "array": ArrayApi()}
with_both_apis: Final = pytest.mark.parametrize("api", APIS.values(), ids=APIS)


class SelectedApi:
    """The destination that the present test is about: that of the fixture `destination`, else Segment."""

    def __init__(self) -> None:
        self.api: Api = API

    def __getattr__(self, name: str) -> Any:
        return getattr(self.api, name)


SELECTED: Final[Any] = SelectedApi()


def limits_of(**changes: int) -> RequestLimits:
    """Build limits as the selected destination has them."""
    limits: RequestLimits = SELECTED.limits
    return replace(limits, **changes)
