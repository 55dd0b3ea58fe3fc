from __future__ import annotations

import pytest

from tests.bench.core_benchmark import Cost, compare_core, core_figures, core_verdict
from tests.bench.versions import VersionError

COSTS = (Cost(case="a", before=5.0, now=5.2), Cost(case="b", before=4.0, now=4.4))


def test_the_worse_case_is_the_result() -> None:
    assert core_figures(COSTS) == {"core": {"process_us": 4.4, "process_us_before": 4.0, "ratio": 1.1}}


def test_the_verdict_holds_the_ratio_against_its_bar() -> None:
    assert str(core_verdict(COSTS)) == "MISS  process() relative to the given commit: 1.10 x, bar 1.08 x"
    assert core_verdict(COSTS[:1]).passed


def test_an_unknown_commit_is_an_error() -> None:
    with pytest.raises(VersionError):
        compare_core("no-such-commit")
