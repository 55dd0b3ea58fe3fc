from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry

from pipeline.bootstrap.destinations.segment import segment_api, segment_options, write_key_file
from pipeline.local.segment.stand_in import WRITE_KEY, SegmentStandIn
from pipeline.settings import load_settings
from pipeline.sinks.segment.body import build_body
from tests.fakes.segment import record

if TYPE_CHECKING:
    from pathlib import Path


def test_every_option_comes_from_its_setting() -> None:
    values = {"MAX_REQUESTS_PER_SECOND": "50", "MAX_RECORDS_PER_SECOND": "900", "WRITE_KEY": WRITE_KEY}
    environment = {f"PIPELINE_SEGMENT_{name}": value for name, value in values.items()}
    environment |= {"PIPELINE_DEAD_LETTER_MAX_SHARE": "0.5", "PIPELINE_DEAD_LETTER_WINDOW": "10"}
    made = segment_options(load_settings(environment))
    assert (made.max_requests_per_second, made.max_records_per_second) == (50, 900)
    assert (made.dead_letter_max_share, made.dead_letter_window) == (0.5, 10)


async def test_a_key_from_the_environment_never_changes() -> None:
    stand_in = SegmentStandIn()
    await stand_in.start()
    settings = load_settings({"PIPELINE_SEGMENT_WRITE_KEY": WRITE_KEY, "PIPELINE_SEGMENT_ENDPOINT": stand_in.endpoint})
    assert write_key_file(settings, CollectorRegistry()) is None
    client = segment_api(settings).connect()
    await client.post(build_body([record("a")], sent_at=0.0))
    await client.close()
    await stand_in.stop()
    assert list(stand_in.ledger.accepted) == ["a"]


async def test_connections_send_the_key_that_the_file_holds_now(tmp_path: Path) -> None:
    path = tmp_path / "write-key"
    path.write_text("k" * 32, encoding="utf-8")
    stand_in = SegmentStandIn()
    await stand_in.start()
    environment = {"PIPELINE_SEGMENT_WRITE_KEY_FILE": str(path), "PIPELINE_SEGMENT_ENDPOINT": stand_in.endpoint}
    settings = load_settings(environment)
    key = write_key_file(settings, CollectorRegistry())
    assert key is not None
    api = segment_api(settings, key)
    path.write_text(WRITE_KEY, encoding="utf-8")
    await key.look()
    client = api.connect()
    await client.post(build_body([record("a")], sent_at=0.0))
    await client.close()
    await stand_in.stop()
    assert list(stand_in.ledger.accepted) == ["a"]
