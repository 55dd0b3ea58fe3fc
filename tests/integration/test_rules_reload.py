"""The rules of a running processor change, in the way that Kubernetes updates a mounted ConfigMap."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from pipeline.core.rules_file import parse_rules
from pipeline.settings.choices import Role
from tests.builders import raw_event
from tests.integration.clients import RawMessage, committed_offsets, eventually, read_topic
from tests.integration.pipeline_processes import running_pipeline
from tests.integration.test_end_to_end import write
from tests.mounts import Mount

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

KEEP, DROP, BROKEN = "rules: []\n", "rules: [{then: drop}]\n", "rules: [{then: dropp}]\n"
FAILING = 'onesignal_pipeline_rules_reload_failing{destination="segment"}'
ROUND = 50


def events(start: int) -> list[RawMessage]:
    return [
        RawMessage(key=b"u-1", partition=0, value=orjson.dumps(raw_event(id=f"e-{number}", external_id="u-1")))
        for number in range(start, start + ROUND)
    ]


async def test_changed_rules_count_between_two_batches_and_broken_ones_never(broker: Broker, tmp_path: Path) -> None:
    mount = Mount(tmp_path, "rules.yaml", KEEP)
    settings = {"RULES_FILE": str(mount.path), "RULES_RELOAD_SECONDS": "0.1"}
    async with running_pipeline(broker, tmp_path, partitions=1, **settings) as pipeline:
        servers = pipeline.broker.bootstrap_servers

        async def round_is_settled(number: int) -> list[str]:
            await write(pipeline, events(number * ROUND))
            wanted = {0: (number + 1) * ROUND}
            await eventually(lambda: committed_offsets(servers, pipeline.processor_group, pipeline.raw_topic) == wanted)
            return [
                orjson.loads(each.value or b"")["messageId"] for each in read_topic(servers, pipeline.records_topic)
            ]

        processor = await pipeline.start(Role.PROCESSOR)
        assert await processor.said("/readyz", f"ready; rules {version(KEEP)} since") == 200
        first = [f"e-{number}" for number in range(ROUND)]
        assert await round_is_settled(0) == first

        mount.swap(DROP)
        assert await processor.said("/readyz", f"ready; rules {version(DROP)} since") == 200
        assert await round_is_settled(1) == first

        mount.swap(BROKEN)
        assert await processor.said("/readyz", "did you mean `drop`?") == 200
        assert (
            await processor.said("/metrics", 'onesignal_pipeline_rules_reload_failing{destination="segment"} 1.0')
            == 200
        )
        assert await round_is_settled(2) == first

        mount.swap(KEEP)
        assert await processor.said("/metrics", f'rules="{version(KEEP)}"') == 200
        assert len(await round_is_settled(3)) == 2 * ROUND
        assert await processor.stop() == 0, pipeline.logs()


def version(text: str) -> str:
    return parse_rules(text, filename="rules.yaml").version
