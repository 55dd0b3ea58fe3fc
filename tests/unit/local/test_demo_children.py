from __future__ import annotations

import asyncio
import json
import os
from typing import TYPE_CHECKING

import pytest

from pipeline.local.demo_children import Children, without_settings
from pipeline.local.demo_errors import DemoError, ProcessEndedError
from tests.integration.clients import partitions_of

if TYPE_CHECKING:
    from pathlib import Path

BROKER = ["pipeline.local.broker", "--topic", "raw:2"]
BROKEN = ["pipeline.local.broker", "--topic", "raw"]


def test_the_callers_own_settings_are_left_out() -> None:
    environment = {"PATH": "/bin", "PIPELINE_SEGMENT_WRITE_KEY": "theirs", "PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "theirs"}
    assert without_settings(environment) == {"PATH": "/bin"}


async def test_a_process_is_started_heard_and_stopped(tmp_path: Path) -> None:
    children = Children(folder=tmp_path)
    announcement = await children.start_and_listen("broker", BROKER, os.environ)
    address = json.loads(announcement)["bootstrap_servers"]
    assert await asyncio.to_thread(partitions_of, address, "raw") == [0, 1]
    await children.stop()
    await children.stop()


async def test_a_process_that_ends_instead_of_speaking_is_reported_with_its_log(tmp_path: Path) -> None:
    children = Children(folder=tmp_path)
    with pytest.raises(ProcessEndedError, match="NAME:PARTITIONS"):
        await children.start_and_listen("broker", BROKEN, os.environ)
    await children.stop()


async def test_a_process_that_ends_by_itself_is_reported_with_its_code_and_log(tmp_path: Path) -> None:
    children = Children(folder=tmp_path)
    await children.start_and_listen("first", BROKER, os.environ)
    await children.start("broken", BROKEN, os.environ)
    with pytest.raises(DemoError, match=r"the broken ended with exit code 2[\s\S]*NAME:PARTITIONS"):
        await children.watch()
    await children.stop()


async def test_a_process_that_is_killed_on_purpose_is_started_again_and_not_reported(tmp_path: Path) -> None:
    children = Children(folder=tmp_path)
    await children.start("broker", BROKER, os.environ)
    watching = asyncio.create_task(children.watch())
    await asyncio.sleep(0)
    await children.kill_and_restart("broker")
    await asyncio.sleep(0)
    assert not watching.done()
    watching.cancel()
    await children.stop()
