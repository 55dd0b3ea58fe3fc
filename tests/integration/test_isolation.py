"""At an ordinary rate one destination is away, and the other gets everything within seconds.

`ISOLATION_SECONDS=120` gives the long form; by default the destination is away for 20 seconds.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Final

import pytest

from pipeline.local.stand_ins.faults import AnswerStatus
from tests.bench.steady_feed import feed
from tests.integration.clients import watermarks
from tests.integration.pipeline_processes import MIXPANEL_ROLES, SEGMENT_ROLES, running_both

if TYPE_CHECKING:
    from pathlib import Path
    from typing import TypeAlias

    from pipeline.local.mixpanel.stand_in import MixpanelStandIn
    from pipeline.local.segment.stand_in import SegmentStandIn
    from tests.integration.brokers import Broker
    from tests.integration.pipeline_processes import Pipeline

    AnyStandIn: TypeAlias = SegmentStandIn | MixpanelStandIn

PARTITIONS: Final = 12
RATE: Final = 1_000
AWAY_SECONDS: Final = int(os.environ.get("ISOLATION_SECONDS", "20"))
MOST_LAG_SECONDS: Final = 5
SAMPLE_SECONDS: Final = 0.5


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.real_only("a backlog of a minute")
@pytest.mark.parametrize("away", ["segment", "mixpanel"])
async def test_while_one_destination_is_away_the_other_gets_everything_within_seconds(
    broker: Broker, tmp_path: Path, away: str
) -> None:
    async with running_both(broker, tmp_path, partitions=PARTITIONS) as pipeline:
        for role in (*SEGMENT_ROLES, *MIXPANEL_ROLES):
            await (await pipeline.start(role)).said("/readyz", "ready")
        stand_ins: dict[str, AnyStandIn] = {"segment": pipeline.segment, "mixpanel": pipeline.mixpanel}
        absent = stand_ins.pop(away)
        (present,) = stand_ins.values()
        absent.faults.order(AnswerStatus(status=503), times=None)
        feeding = asyncio.ensure_future(
            asyncio.to_thread(feed, broker.bootstrap_servers, pipeline.raw_topic, rate=RATE, seconds=AWAY_SECONDS)
        )
        most = await largest_lag(pipeline, present, until=feeding)
        assert most <= MOST_LAG_SECONDS * RATE, f"{most} records behind\n{pipeline.logs()}"
        written = await feeding
        assert accepted_by(absent) == 0
        absent.faults.clear()
        for stand_in in (present, absent):
            async with asyncio.timeout(120):
                await stand_in.accepted(written)


async def largest_lag(pipeline: Pipeline, present: AnyStandIn, *, until: asyncio.Future[int]) -> int:
    """Return the most events that were in the raw topic and not yet accepted, over all samples."""
    most = 0
    while not until.done():
        ends = await asyncio.to_thread(watermarks, pipeline.broker.bootstrap_servers, pipeline.raw_topic)
        most = max(most, sum(end for _, end in ends.values()) - accepted_by(present))
        await asyncio.sleep(SAMPLE_SECONDS)
    return most


def accepted_by(stand_in: AnyStandIn) -> int:
    return len(stand_in.ledger.accepted)
