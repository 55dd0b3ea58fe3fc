"""The destinations that the tests of delivery use: both real ones, and one with different rules for tests alone."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.fakes.array_api import ArrayApi
from tests.fakes.mixpanel import SMALL as MIXPANEL
from tests.fakes.segment import API

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.delivery.api import Api
    from pipeline.delivery.limits import RequestLimits

APIS: Final[Mapping[str, Api]] = {"segment": API, "mixpanel": MIXPANEL, "array": ArrayApi()}
with_every_api: Final = pytest.mark.parametrize("api", APIS.values(), ids=APIS)


class SelectedApi:
    """The destination of the current test: that of the fixture `destination`, otherwise Segment."""

    def __init__(self) -> None:
        self.api: Api = API

    def __getattr__(self, name: str) -> Any:
        return getattr(self.api, name)


SELECTED: Final[Any] = SelectedApi()


def limits_of(**changes: int) -> RequestLimits:
    """Build the limits of the selected destination, with changes."""
    limits: RequestLimits = SELECTED.limits
    return replace(limits, **changes)
