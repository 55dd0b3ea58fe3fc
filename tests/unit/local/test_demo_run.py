from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.core.presets import Preset
from pipeline.local.demo_children import Children
from pipeline.local.demo_run import DemoRun
from pipeline.local.demo_watch import Names
from pipeline.local.segment_stand_in import WRITE_KEY

if TYPE_CHECKING:
    from pathlib import Path


def test_who_looks_around_in_a_demo_is_told_the_topics_and_the_key_of_the_stand_in(tmp_path: Path) -> None:
    names = Names()
    run = DemoRun(
        bootstrap_servers="127.0.0.1:1",
        names=names,
        partitions=1,
        children=Children(folder=tmp_path),
        environment={},
        preset=Preset.KEEP_ALL,
        seed=1,
        faults=False,
    )
    told = run.addresses().values()
    assert {"127.0.0.1:1", names.raw_topic, names.records_topic, names.dead_letter_topic, WRITE_KEY} <= set(told)
