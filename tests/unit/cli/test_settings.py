from __future__ import annotations

import orjson
import pytest

from pipeline.cli.main import run
from pipeline.settings.mistakes import variable
from pipeline.settings.presentation import reference_table
from pipeline.settings.sections import FIELDS

pytestmark = pytest.mark.usefixtures("logs_put_back")

WRITE_KEY = "Ab1" + "x" * 29


def test_every_setting_is_shown_with_its_value_and_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["settings"], {"PIPELINE_RAW_TOPIC": "mine", "PIPELINE_SEGMENT_GZIP": "on"}) == 0
    told = {name: rest for name, *rest in (line.split() for line in capsys.readouterr().out.splitlines())}
    assert list(told) == [variable(field) for field in FIELDS]
    assert told["PIPELINE_RAW_TOPIC"] == ["mine"]
    assert told["PIPELINE_SEGMENT_GZIP"] == ["true"]
    assert told["PIPELINE_RECORDS_TOPIC"] == ["segment.records", "(default)"]
    assert told["PIPELINE_SEGMENT_FLUSH_INTERVAL_SECONDS"] == ["1", "(default)"]
    assert told["PIPELINE_RULES_FILE"] == ["-"]


def test_secrets_are_masked(capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("text", "json"):
        assert run(["settings", "--format", form], {"PIPELINE_SEGMENT_WRITE_KEY": WRITE_KEY}) == 0
        told = capsys.readouterr().out
        assert "********" in told
        assert WRITE_KEY not in told


def test_settings_are_there_for_programs_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["settings", "--format", "json"], {"PIPELINE_HTTP_PORT": "9000"}) == 0
    told = orjson.loads(capsys.readouterr().out)
    assert told["PIPELINE_HTTP_PORT"] == {"value": "9000", "set": True}
    assert told["PIPELINE_RULES_FILE"] == {"value": None, "set": False}


def test_the_reference_is_printed_whatever_is_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["settings", "--format", "markdown"], {"PIPELINE_HTTP_PORT": "abc"}) == 0
    assert capsys.readouterr().out == reference_table() + "\n"


def test_the_reference_names_every_setting_once() -> None:
    rows = [line for line in reference_table().splitlines() if line.startswith("| `PIPELINE_")]
    assert [row.split("`")[1] for row in rows] == [variable(field) for field in FIELDS]
    assert all(row.count("|") == 5 for row in rows)
