from __future__ import annotations

import pytest

from pipeline.core.classification import Destination, MtuClass, mtu_class
from pipeline.core.destinations.mixpanel.mtu import MIXPANEL_MTU, MIXPANEL_MTU_BY_LIST
from pipeline.core.destinations.segment.mtu import SEGMENT_MTU, STATED_MTU_RULES
from pipeline.core.kinds import KINDS, Kind, kind_of


@pytest.mark.parametrize("kind", KINDS.values(), ids=str)
def test_segment_exempts_nothing(kind: Kind) -> None:
    assert mtu_class(kind, SEGMENT_MTU) is MtuClass.COUNTED


def test_an_unknown_kind_counts() -> None:
    assert {mtu_class(kind_of("message.fax.sent"), rules) for rules in STATED_MTU_RULES} == {MtuClass.COUNTED}


def test_rules_have_versions_and_there_is_one_set_for_each_destination() -> None:
    assert {rules.destination for rules in STATED_MTU_RULES} == set(Destination)
    versions = [rules.version for rules in (SEGMENT_MTU, MIXPANEL_MTU, MIXPANEL_MTU_BY_LIST)]
    assert len(set(versions)) == len(versions)
