from __future__ import annotations

from pipeline.core.flaws import Flaws
from pipeline.core.ids import EmptyReason, IdField, IgnoredId

NULL = IgnoredId("event.id", IdField.EVENT_ID, "null", EmptyReason.WORD)


def test_flaws_are_equal_where_all_of_them_are() -> None:
    ways = [
        Flaws(),
        Flaws(ignored=(NULL,)),
        Flaws(unreadable=(NULL,)),
        Flaws(external_ids=(("event.external_id", "u"),)),
    ]
    same = [Flaws((), (), ()), Flaws((NULL,)), Flaws((), (NULL,)), Flaws((), (), (("event.external_id", "u"),))]
    assert ways == same
    assert len({*ways, *same}) == len(ways)
    assert Flaws() != ((), (), ())
