from __future__ import annotations

import json
from io import StringIO
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from tests.hostile import results
from tests.hostile.messages import DELIVERED, DROPPED, UNREADABLE, UNSEEN, Expected, held, letter
from tests.hostile.planted import leaks
from tests.hostile.reckoning import Seen, Stretch, disordered, faults, is_named, lost, missing
from tests.hostile.results import CaseResult
from tests.integration.test_planted_secrets import EMAIL

if TYPE_CHECKING:
    from pathlib import Path

STRETCH = Stretch(topic="t", partition=4, first=3, end=5)


def accepted(*ids: str) -> dict[str, str]:
    return dict.fromkeys(ids, "u")


def test_what_was_never_accepted_is_lost() -> None:
    assert lost(["a", "b", "c"], accepted("c", "a")) == ["b"]


def test_hostile_messages_are_counted_apart_from_good_ones_since_they_share_ids() -> None:
    assert missing(2, {"good": 3, "hostile": 2}, {"good"}) == 0
    assert missing(3, {"good": 3, "hostile": 1, "another": 1}, {"good"}) == 1
    assert missing(0, {"good": 1, "hostile": 5}, {"good"}) == 0


def test_what_comes_after_a_later_one_is_out_of_order() -> None:
    assert disordered(["a", "b", "c"], accepted("a", "b", "c")) == []
    assert disordered(["a", "b", "c"], accepted("b", "x", "a", "c")) == ["a"]
    assert disordered(["a", "b", "c"], accepted("c", "b", "a")) == ["b", "a"]


@pytest.mark.parametrize(
    ("expected", "seen"),
    [
        (DELIVERED, Seen(committed=5, forwarded=2)),
        (DROPPED, Seen(committed=5)),
        (UNSEEN, Seen(committed=9)),
        (letter("not_json", "not_utf8"), Seen(committed=5, letters=["not_json", "not_utf8"])),
        (held("unknown_format"), Seen(committed=0, holds=["unknown_format"], texts=["partition 4"])),
        (UNREADABLE, Seen(committed=3, holds=["unreadable"], texts=["topic t, partition 4, offset 3"])),
    ],
)
def test_what_is_as_expected_has_no_fault(expected: Expected, seen: Seen) -> None:
    assert faults(expected, seen, STRETCH, messages=2, is_raw=True) == []


@pytest.mark.parametrize(
    ("expected", "seen", "found"),
    [
        (DELIVERED, Seen(committed=4, forwarded=2), ["offset 4 is not settled"]),
        (DELIVERED, Seen(committed=5, forwarded=1), ["1 records were made of it, expected 2"]),
        (UNSEEN, Seen(committed=5, forwarded=2), ["2 records were made of it, expected 0"]),
        (
            DELIVERED,
            Seen(committed=5, forwarded=2, letters=["x"]),
            ["1 dead letters, expected 0", "dead letters for x"],
        ),
        (letter("a"), Seen(committed=5, letters=["b", "b"]), ["dead letters for b"]),
        (letter("a"), Seen(committed=5), ["0 dead letters, expected 2"]),
        (
            held("clock"),
            Seen(committed=4, holds=["x"], texts=["partition 44"], forwarded=1),
            [
                "offset 4 is committed, but 3 was not read",
                "held for x",
                "a record or dead letter was made of it",
                "no text names 4",
            ],
        ),
        (held("clock"), Seen(texts=["partition 4"]), ["held for nothing"]),
        (UNREADABLE, Seen(holds=UNREADABLE.reasons, texts=["t partition 4 offset 13"]), ["no text names 4, t, 3"]),
    ],
)
def test_a_deviation_is_reported(expected: Expected, seen: Seen, found: list[str]) -> None:
    assert faults(expected, seen, STRETCH, messages=2, is_raw=True) == found


def test_a_sink_makes_no_records() -> None:
    assert faults(DELIVERED, Seen(committed=5), STRETCH, messages=2, is_raw=False) == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("partition t[4] at offset 3", True),
        ("partition 4 of t, offset 3.", True),
        ("partition 4 of t2, offset 3", False),
        ("partition 4.5 of t, offset 3", False),
        ("4 t 3", False),
    ],
)
def test_words_count_by_themselves_alone(text: str, *, named: bool) -> None:
    assert is_named([text], ["4", "t", "3"]) is named


def test_planted_words_are_found_and_not_repeated() -> None:
    assert leaks(f"…{EMAIL}…") == [f"{EMAIL[:12]}…"]
    assert leaks("nothing", ["a secret"]) == []


def case(**changes: object) -> CaseResult:
    return CaseResult(part="messages", kind="ids", name="n", expected="delivered", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"lost": 2}, "2 lost"),
        ({"disordered": 1}, "1 out of order"),
        ({"ends": 1}, "1 worker ends"),
        ({"peak_bytes": 300_000_000, "allowed_bytes": 100_000_000}, "300 MB of 100"),
        ({"faults": ["held for nothing"]}, "held for nothing"),
        ({"leaks": ["plant…"]}, "leaked: plant…"),
    ],
)
def test_each_broken_promise_fails_the_run(
    changes: dict[str, object], found: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = case(**changes)
    assert not broken.passed
    assert broken.evidence() == found
    report = results.figures([case(), broken], seconds=1.0, short=True, unplayed=[])
    assert not results.is_passed(report)
    assert "1 of 2 cases kept every promise" in results.verdict(report)
    monkeypatch.chdir(tmp_path)
    results.write(report)
    assert json.loads(results.REPORT.read_text())["broken"][0]["evidence"] == found


def test_a_run_without_cases_or_with_a_part_that_was_not_played_proves_nothing() -> None:
    assert not results.is_passed(results.figures([], seconds=1.0, short=True, unplayed=[]))
    assert not results.is_passed(results.figures([case()], seconds=1.0, short=True, unplayed=["answers: gone"]))
    assert results.is_passed(results.figures([case()], seconds=1.0, short=True, unplayed=[]))


def test_the_table_adds_up_by_kind() -> None:
    console = Console(width=160, record=True, file=StringIO())
    console.print(results.table([case(), case(lost=3, peak_bytes=90_000_000, allowed_bytes=100_000_000)]))
    drawn = console.export_text()
    assert "90 of 100" in drawn
    assert drawn.count(" 3 ") == 2
