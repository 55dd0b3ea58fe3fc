from __future__ import annotations

import pytest

from pipeline.core.derived_names import derived_name
from pipeline.core.kinds import kind_of


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("message.sms.opted_out", "SMS Opted Out"),
        ("message.iam.dismissed", "In-App Message Dismissed"),
        ("message.live_activity.confirmed_delivery", "Live Activity Confirmed Delivery"),
        ("notification.clicked", "Notification Clicked"),
        ("message.…", "Unknown"),
    ],
)
def test_the_name_of_an_unknown_kind_is_made_of_its_words(kind: str, name: str) -> None:
    assert derived_name(kind_of(kind)) == name
