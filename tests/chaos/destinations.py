"""The destinations that the chaos test runs. A further destination adds its row here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.core.classification import Destination
from pipeline.local.stand_ins.faults import AnswerStatus, Refuse, RefuseRecords, WrongNumber
from pipeline.settings.choices import Role
from tests.chaos.destination_faults import COMMON, for_a_while, some, some_ids
from tests.chaos.sampler import Names
from tests.chaos.stand_ins import ChaosMixpanel, ChaosSegment

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.chaos.destination_faults import Break
    from tests.chaos.ledger import Ledger
    from tests.chaos.stand_ins import ChaosStandIn

_THIRD_IN_A_ROW: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ChaosDestination:
    """What the chaos test must know of a destination.

    ``prefix`` begins the names of its settings, and ``processor_prefix`` those of its processor.
    """

    destination: Destination
    title: str
    processor: Role
    sink: Role
    prefix: str
    processor_prefix: str
    names: Names
    stand_in: Callable[[Ledger], ChaosStandIn]
    faults: Mapping[str, Break]

    @property
    def roles(self) -> tuple[Role, Role]:
        """Return its roles in the order of the path."""
        return self.processor, self.sink


DESTINATIONS: Final = (
    ChaosDestination(
        destination=Destination.SEGMENT,
        title="Segment",
        processor=Role.PROCESSOR,
        sink=Role.SEGMENT_SINK,
        prefix="SEGMENT_",
        processor_prefix="",
        names=Names(),
        stand_in=ChaosSegment,
        faults={
            **COMMON,
            "400 for single records": for_a_while(lambda stage: Refuse(text=f'"messageId":"{some_ids(stage)}')),
        },
    ),
    ChaosDestination(
        destination=Destination.MIXPANEL,
        title="Mixpanel",
        processor=Role.MIXPANEL_PROCESSOR,
        sink=Role.MIXPANEL_SINK,
        prefix="MIXPANEL_",
        processor_prefix="MIXPANEL_",
        names=Names(
            records="chaos.mixpanel-records",
            tracked_users="chaos.mixpanel-tracked-users",
            processor_group="chaos-mixpanel-processor",
            sink_group="chaos-mixpanel-sink",
        ),
        stand_in=ChaosMixpanel,
        faults={
            **COMMON,
            "429 without Retry-After": some(lambda: AnswerStatus(status=429)),
            "403 as a page": for_a_while(lambda _: AnswerStatus(status=403)),
            "a wrong number": some(WrongNumber),
            "a wrong number, again and again": some(WrongNumber, times=2 * _THIRD_IN_A_ROW),
            "400 that names single records": for_a_while(
                lambda stage: RefuseRecords(text=f'"$insert_id":"{some_ids(stage)}')
            ),
            "400 that names one record twice": for_a_while(
                lambda stage: RefuseRecords(text=f'"$insert_id":"{some_ids(stage)}', twice=True)
            ),
            "400 that names most records": for_a_while(lambda _: RefuseRecords(text='"event_kind":"message.push')),
            "400 for single records without naming them": for_a_while(
                lambda stage: RefuseRecords(text=f'"$insert_id":"{some_ids(stage)}', whole=True)
            ),
        },
    ),
)
