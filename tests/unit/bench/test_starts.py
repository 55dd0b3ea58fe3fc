from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.bench.starts.imports import Imported, by_library, importers, read_import_times
from tests.bench.starts.parts import MARKS, TOTAL, assigned_at, medians, parts_of

if TYPE_CHECKING:
    from pathlib import Path

IMPORT_TIMES = """import time: self [us] | cumulative | imported package
import time:       100 |        100 |     faust.types
import time:       200 |        300 |   faust
import time:        50 |         50 |   _json
import time:        30 |        380 | pipeline.stream
"""


def test_a_module_knows_who_imported_it() -> None:
    assert read_import_times(IMPORT_TIMES) == [
        Imported("faust.types", 100, 100, "faust"),
        Imported("faust", 200, 300, "pipeline.stream"),
        Imported("_json", 50, 50, "pipeline.stream"),
        Imported("pipeline.stream", 30, 380, None),
    ]


def test_the_modules_of_a_library_are_added_up_the_largest_first() -> None:
    found = by_library(read_import_times(IMPORT_TIMES))
    assert list(found.items()) == [("faust", 300), ("json", 50), ("pipeline", 30)]


def test_a_library_knows_who_imported_it_first() -> None:
    assert importers(read_import_times(IMPORT_TIMES))["faust"] == "pipeline.stream"


def test_the_parts_of_a_start_add_up_to_the_whole() -> None:
    marks = {name: 10.0 + number for number, name in enumerate(MARKS)}
    parts = parts_of(9.5, marks)
    assert parts["interpreter"] == 0.5
    assert parts["settled"] == 1.0
    assert sum(seconds for name, seconds in parts.items() if name != TOTAL) == pytest.approx(parts[TOTAL])


def test_a_start_that_did_not_get_through_has_no_parts() -> None:
    with pytest.raises(KeyError):
        parts_of(0.0, {"interpreter": 1.0})


def test_medians_are_taken_part_by_part() -> None:
    starts = [dict.fromkeys((*MARKS, TOTAL), seconds) for seconds in (1.0, 9.0, 2.0)]
    assert medians(starts)[TOTAL] == 2.0


def test_a_worker_joins_when_it_has_partitions_for_the_first_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        '{"event": "worker starts", "timestamp": "2026-01-01T00:00:00Z"}\n'
        '{"event": "partitions assigned", "partitions": [], "timestamp": "2026-01-01T00:00:01Z"}\n'
        '{"event": "partitions assigned", "partitions": [1], "timestamp": "2026-01-01T00:00:02.5Z"}\n'
    )
    assert assigned_at(log) == 1767225602.5
