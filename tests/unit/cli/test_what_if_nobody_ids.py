from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from pipeline.cli.main import ExitCode, run
from tests.builders import encode, raw_event

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("logs_put_back")


@pytest.mark.parametrize(("nobody_ids", "dropped"), [("", "-"), ("guest", "2"), ("guest,u-1", "3")])
def test_own_words_are_at_work_in_what_if(
    nobody_ids: str, dropped: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events = [encode(raw_event(external_id=user, id=f"e-{user}")) for user in ("u-1", "guest", "Guest")]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(events))
    environment = {"PIPELINE_ANONYMOUS_ENGAGEMENT": "drop", "PIPELINE_NOBODY_IDS": nobody_ids}
    arguments = ["rules", "what-if", "keep-all", "--from", str(tmp_path / "events.jsonl")]
    assert run(arguments, environment) == ExitCode.DONE
    kept = {"-": "3", "2": "1", "3": "-"}[dropped]
    assert re.search(rf"^ push.clicked +{kept} +{dropped} ", capsys.readouterr().out, re.MULTILINE)
