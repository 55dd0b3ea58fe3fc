from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.core.presets import Preset
from pipeline.local.demo_children import Children
from pipeline.local.demo_destinations import DESTINATIONS
from pipeline.local.demo_run import DemoRun

if TYPE_CHECKING:
    from pathlib import Path


def test_who_looks_around_in_a_demo_is_told_the_topics_and_the_secrets_of_the_stand_ins(tmp_path: Path) -> None:
    run = DemoRun(
        bootstrap_servers="127.0.0.1:1",
        destinations=DESTINATIONS,
        partitions=1,
        children=Children(folder=tmp_path),
        environment={},
        preset=Preset.KEEP_ALL,
        seed=1,
        faults=False,
    )
    told = set(run.addresses().values())
    assert {"127.0.0.1:1", "onesignal.events", "onesignal.dead-letters"} <= told
    for each in DESTINATIONS:
        assert {each.names.records_topic, each.secret[1]} <= told
