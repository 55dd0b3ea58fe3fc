from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import structlog
from pydantic import SecretStr

from pipeline.sinks.segment.write_key import LOOK_SECONDS, WriteKeyFile
from tests.fakes.segment import WRITE_KEY
from tests.mounts import Mount

if TYPE_CHECKING:
    from pathlib import Path

NEW_KEY = "N" * 32


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def mount(tmp_path: Path) -> Mount:
    return Mount(tmp_path, "write-key", WRITE_KEY)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def key_of(mount: Mount, clock: Clock) -> WriteKeyFile:
    return WriteKeyFile(mount.path, SecretStr(WRITE_KEY), now=clock)


def test_a_swapped_link_brings_the_new_key_within_a_second(mount: Mount, clock: Clock) -> None:
    key = key_of(mount, clock)
    assert key.current().get_secret_value() == WRITE_KEY
    mount.swap(NEW_KEY + "\n")
    clock.now = LOOK_SECONDS
    with structlog.testing.capture_logs() as lines:
        assert key.current().get_secret_value() == NEW_KEY
    assert lines == [{"event": "write key changed", "log_level": "info"}]


def test_the_file_is_looked_at_once_a_second_at_most(mount: Mount, clock: Clock) -> None:
    key = key_of(mount, clock)
    key.current()
    mount.swap(NEW_KEY)
    clock.now = LOOK_SECONDS - 0.01
    assert key.current().get_secret_value() == WRITE_KEY


def test_a_key_that_changed_between_reading_the_settings_and_the_start_is_seen(mount: Mount, clock: Clock) -> None:
    mount.swap(NEW_KEY)
    assert key_of(mount, clock).current().get_secret_value() == NEW_KEY


@pytest.mark.parametrize(
    ("text", "problem"),
    [("hunter2", "has 7 characters"), ("", "the file is empty"), (NEW_KEY[:-1] + "-", "other than letters and digits")],
)
def test_a_key_of_the_wrong_shape_is_refused_once_and_the_old_one_stays(
    mount: Mount, clock: Clock, text: str, problem: str
) -> None:
    key = key_of(mount, clock)
    key.current()
    mount.swap(text)
    with structlog.testing.capture_logs() as lines:
        for second in range(1, 5):
            clock.now = second * LOOK_SECONDS
            assert key.current().get_secret_value() == WRITE_KEY
    (line,) = lines
    assert (line["log_level"], problem in line["problem"]) == ("error", True)
    assert "hunter2" not in str(lines)
    assert NEW_KEY[:-1] not in str(lines)


def test_a_good_key_after_a_wrong_one_is_taken(mount: Mount, clock: Clock) -> None:
    key = key_of(mount, clock)
    for second, text in enumerate(("wrong", NEW_KEY)):
        mount.swap(text)
        clock.now = second * LOOK_SECONDS
        key.current()
    assert key.current().get_secret_value() == NEW_KEY


def test_a_file_that_is_gone_leaves_the_key_in_force(mount: Mount, clock: Clock) -> None:
    key = key_of(mount, clock)
    key.current()
    mount.path.unlink()
    clock.now = LOOK_SECONDS
    with structlog.testing.capture_logs() as lines:
        assert key.current().get_secret_value() == WRITE_KEY
    assert [line["log_level"] for line in lines] == ["error"]


def test_the_same_key_in_a_new_file_is_no_news(mount: Mount, clock: Clock) -> None:
    key = key_of(mount, clock)
    key.current()
    mount.swap(WRITE_KEY)
    clock.now = LOOK_SECONDS
    with structlog.testing.capture_logs() as lines:
        key.current()
    assert lines == []
