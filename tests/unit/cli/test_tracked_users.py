from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import ExitCode, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("logs_put_back")


def test_what_is_not_set_is_listed_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "users.csv"
    file.write_text("user_id\nu-1\n")
    assert run(["tracked-users", "import", str(file)], {}) == ExitCode.MISTAKE
    told = capsys.readouterr().err.splitlines()
    assert [line.split(" is not set")[0] for line in told] == [
        "PIPELINE_KAFKA_BOOTSTRAP_SERVERS",
        "PIPELINE_TRACKED_USERS_SECRET",
        "PIPELINE_TRACKED_USERS_FEED_TOPIC",
    ]


@pytest.mark.parametrize("command", ["export", "stats"])
def test_to_see_who_is_tracked_needs_the_secret_and_no_feed(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tracked-users", command], {"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}) == ExitCode.MISTAKE
    assert capsys.readouterr().err == ("PIPELINE_TRACKED_USERS_SECRET is not set: give the secret of the processors.\n")


def test_a_file_that_is_not_there_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["tracked-users", "import", "nowhere.csv"], {}) == ExitCode.MISTAKE
    assert "nowhere.csv" in capsys.readouterr().err
