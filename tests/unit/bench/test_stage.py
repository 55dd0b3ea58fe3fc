from __future__ import annotations

import subprocess
import sys

import pytest

from tests.bench.rates.stage import written_by
from tests.bench.runs import RunError


def feed(program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)


def test_a_feed_tells_how_many_events_it_wrote() -> None:
    assert written_by(feed("print(17)")) == 17


def test_a_feed_with_unconfirmed_events_fails_the_run() -> None:
    with pytest.raises(RunError, match="did not confirm"):
        written_by(feed("raise SystemExit(1)"))
