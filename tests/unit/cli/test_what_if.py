from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path
from typing import IO

import orjson
import pytest
from click.shell_completion import BashComplete

from pipeline.cli.main import ExitCode, cli, run
from tests.builders import encode, raw_event
from tests.full_disk import full_disk

pytestmark = pytest.mark.usefixtures("logs_put_back")

MIXPANEL = ("--destination", "mixpanel")
NEW = "rules:\n  - {when: {action: sent}, then: tracked_only}\n  - {when: {category: delivery}, then: drop}\n"


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "new.yaml").write_text(NEW, encoding="utf-8")
    kinds = ["push.sent", "push.received", "push.clicked", "push.sent"]
    lines = [encode(raw_event(f"message.{kind}", external_id="u-1", id=f"e-{at}")) for at, kind in enumerate(kinds)]
    lines.append(encode(raw_event("message.push.sent", external_id="u-2")))
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.usefixtures("files")
def test_rules_are_compared_with_keep_all_over_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "what-if", "new.yaml", "--from", "events.jsonl"], {}) == ExitCode.DONE
    told = capsys.readouterr()
    assert "5 messages of events.jsonl, from 2026-01-01 00:00 to 2026-01-01 00:00 UTC." in told.out
    assert re.search(r"^ keep-all \(baseline\) +2 +- ", told.out, re.MULTILINE)
    assert re.search(r"^ new.yaml +1 +1 +50 % +2 +0 +1$", told.out, re.MULTILINE)
    assert told.err == ""


@pytest.mark.usefixtures("files")
def test_the_first_of_those_that_it_is_compared_with_is_the_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--against", "engagement-only", "--against", "curb-sent-and-displayed", "--from", "events.jsonl"]
    assert run(["rules", "what-if", "new.yaml", *arguments], {}) == ExitCode.DONE
    told = capsys.readouterr().out
    rows = re.findall(r"^ (\S+(?: \(baseline\))?) +[0-9]", told.split("Events by kind")[0], re.MULTILINE)
    assert rows == ["engagement-only (baseline)", "keep-all", "curb-sent-and-displayed", "new.yaml"]


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("against", [[], ["--against", "keep-all"], ["--against", "keep-all"] * 2])
def test_no_set_is_told_twice(against: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "what-if", "keep-all", *against, "--from", "events.jsonl"], {}) == ExitCode.DONE
    assert capsys.readouterr().out.count("keep-all") == 1


def test_files_of_the_same_name_are_told_apart(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (files / "old").mkdir()
    (files / "old" / "new.yaml").write_text("rules: []\n", encoding="utf-8")
    arguments = ["rules", "what-if", "new.yaml", "--against", "old/new.yaml", "--from", "events.jsonl"]
    assert run(arguments, {}) == ExitCode.DONE
    assert "old/new.yaml (baseline)" in capsys.readouterr().out


@pytest.mark.usefixtures("files")
def test_standard_input_is_read_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Piped(io.TextIOWrapper):
        def fileno(self) -> int:
            raise OSError("not a file")

    def piped(path: str) -> IO[str]:
        return Piped(io.BytesIO(Path(path).read_bytes()))

    monkeypatch.setattr(sys, "stdin", piped("events.jsonl"))
    assert run(["rules", "what-if", "new.yaml", "--from", "-"], {}) == ExitCode.DONE
    assert "5 messages of standard input" in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", piped("new.yaml"))
    assert run(["rules", "what-if", "-", "--from", "events.jsonl"], {}) == ExitCode.DONE
    assert "standard input  " in capsys.readouterr().out


@pytest.mark.usefixtures("files")
def test_money_and_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--from", "events.jsonl", "--price", "0:2,1:1", "--currency", "EUR", "--html", "report.html"]
    assert run(["rules", "what-if", "new.yaml", *arguments], {}) == ExitCode.DONE
    told = capsys.readouterr()
    assert "3.00 EUR" in told.out
    assert told.err == "written: report.html\n"
    assert "new.yaml saves 50 % of the MTUs (1.00 EUR)" in Path("report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("files")
def test_both_destinations_are_counted_in_one_pass_over_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path("events.jsonl").read_bytes())))
    arguments = ["--destination", "segment", "--destination", "mixpanel", "--price", "2", "--price-event", "0.5"]
    assert run(["rules", "what-if", "new.yaml", "--from", "-", *arguments], {}) == ExitCode.DONE
    told = capsys.readouterr().out
    assert re.search(r"^ keep-all \(baseline\) +Segment +2 .* 4.00 ", told, re.MULTILINE)
    assert re.search(r"^ +Mixpanel +1 .* 2.50 ", told, re.MULTILINE)


@pytest.mark.usefixtures("files")
def test_each_destination_has_its_own_settings_and_none_of_the_rules(capsys: pytest.CaptureFixture[str]) -> None:
    line = encode(raw_event("message.push.clicked", external_id="", subscription_id="s-1"))
    Path("events.jsonl").write_bytes(line)
    environment = {"PIPELINE_MIXPANEL_ANONYMOUS_ENGAGEMENT": "drop", "PIPELINE_MIXPANEL_RULES_PRESET": "nonsense"}
    environment |= {"PIPELINE_MIXPANEL_MTU_RULES": "list"}
    arguments = ["--from", "events.jsonl", "--destination", "segment", "--destination", "mixpanel"]
    assert run(["rules", "what-if", "keep-all", *arguments], environment) == ExitCode.DONE
    assert re.search(r"^ push.clicked +- +1 +- +- +- +1 ", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.usefixtures("files")
def test_a_names_file_of_the_asked_destination_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    Path("names.yaml").write_text("message.push.sent: $identify\n", encoding="utf-8")
    environment = {"PIPELINE_MIXPANEL_NAMES_FILE": "names.yaml"}
    arguments = ["rules", "what-if", "keep-all", "--from", "events.jsonl"]
    assert run(arguments, environment) == ExitCode.DONE
    assert run([*arguments, "--destination", "mixpanel"], environment) == ExitCode.MISTAKE
    assert "names.yaml:1: the destination reserves the name `$identify`" in capsys.readouterr().err


@pytest.mark.usefixtures("files")
def test_other_settings_count_and_those_for_rules_do_not(capsys: pytest.CaptureFixture[str]) -> None:
    line = encode(raw_event("message.push.clicked", external_id="", subscription_id="s-1"))
    Path("events.jsonl").write_bytes(line)
    environment = {"PIPELINE_ANONYMOUS_ENGAGEMENT": "drop", "PIPELINE_RULES_PRESET": "nonsense"}
    environment |= {"PIPELINE_RAW_FORMAT": "json", "PIPELINE_BILLING_MONTH_START_DAY": "15"}
    assert run(["rules", "what-if", "keep-all", "--from", "events.jsonl"], environment) == ExitCode.DONE
    assert re.search(r"^ push.clicked +-  +1 ", capsys.readouterr().out, re.MULTILINE)


@pytest.mark.usefixtures("files")
def test_beyond_the_number_of_exact_users_it_goes_on_with_estimates(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "what-if", "new.yaml", "--from", "events.jsonl", "--exact-users", "1"], {}) == ExitCode.DONE
    assert "more than 1 distinct users" in capsys.readouterr().out


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["new.yaml", "--from", "absent"], "'absent' does not exist"),
        (["new.yaml", "--from", "events.jsonl", "--price", "cheap"], "`cheap` is not a price"),
        (["new.yaml", "--from", "events.jsonl", "--since", "7d"], "--since goes with the raw topic"),
        (["new.yaml", "--since", "soon"], "`soon` is not a time; give a span such as `7d`"),
        (["new.yaml", "--from", "events.jsonl", "--currency", "EUR"], "--currency goes with --price"),
        (["new.yaml", "--from", "events.jsonl", "--currency", "EUR"], "or --price-event"),
        (
            ["new.yaml", "--from", "events.jsonl", "--destination", "amplitude"],
            "'amplitude' is not one of 'segment',",
        ),
        (
            ["new.yaml", "--from", "events.jsonl", *["--destination", "mixpanel"] * 2],
            "'--destination': `mixpanel` is given twice.",
        ),
        (
            ["new.yaml", "--from", "events.jsonl", "--price-event", "1"],
            "--price-event goes with --destination mixpanel: Segment bills users",
        ),
        (
            ["new.yaml", "--from", "events.jsonl", *MIXPANEL, "--price-event", "1", "--price", "1"],
            "--price does not go with --price-event here",
        ),
        (
            ["new.yaml", "--from", "events.jsonl", *MIXPANEL, "--price-event", "5:1"],
            "no price for the first 5 events",
        ),
        (["-", "--from", "-"], "`-` is given twice"),
        (["-", "--against", "-", "--from", "events.jsonl"], "`-` is given twice"),
        (["absent.yaml", "--from", "events.jsonl"], "absent.yaml: there is no such file"),
        (
            ["new.yaml", "--against", "absent.yaml", "--from", "events.jsonl"],
            "--against: absent.yaml: there is no such",
        ),
        (["new.yaml"], "PIPELINE_KAFKA_BOOTSTRAP_SERVERS"),
    ],
)
def test_mistakes_are_told(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "what-if", *arguments], {}) == ExitCode.MISTAKE
    assert told in " ".join(capsys.readouterr().err.split())


@pytest.mark.usefixtures("files")
def test_every_mistake_of_a_rules_file_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    Path("new.yaml").write_text("rules:\n  - when: {action: snet}\n    then: dropp\n", encoding="utf-8")
    assert run(["rules", "what-if", "new.yaml", "--from", "events.jsonl"], {}) == ExitCode.MISTAKE
    assert len(capsys.readouterr().err.splitlines()) == 2


@pytest.mark.usefixtures("files")
def test_a_page_that_cannot_be_written_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--from", "events.jsonl", "--html", "absent/report.html"]
    assert run(["rules", "what-if", "new.yaml", *arguments], {}) == ExitCode.FAILED
    assert "absent/report.html cannot be written: No such file or directory." in capsys.readouterr().err


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("since", ["90m", "12h", "7d", "2w", "2026-01-31", "2026-01-31T12:00+02:00"])
def test_times_are_spans_and_dates(since: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "what-if", "new.yaml", "--since", since], {}) == ExitCode.MISTAKE
    told = capsys.readouterr().err
    assert "PIPELINE_KAFKA_BOOTSTRAP_SERVERS" in told
    assert "is not a time" not in told


@pytest.mark.usefixtures("files")
def test_a_difference_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "diff", "keep-all", "new.yaml"], {}) == ExitCode.DONE
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "added: rule 1: tracked_only where action is sent"
    assert told[-1].endswith("live_activity.delivered, live_activity.failed: keep becomes drop")
    assert run(["rules", "diff", "new.yaml", "new.yaml"], {}) == ExitCode.DONE
    assert capsys.readouterr().out == "Both make the same decisions.\n"


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("arguments", "told"), [(["-", "-"], "`-` is given twice"), (["x", "keep-all"], "OLD: x: there")]
)
def test_mistakes_in_a_difference_are_told(arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "diff", *arguments], {}) == ExitCode.MISTAKE
    assert told in capsys.readouterr().err


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("words", ["rules diff keep-all", "rules what-if new.yaml --against", "rules what-if"])
def test_a_shell_is_offered_presets_and_files(words: str) -> None:
    os.environ.pop("COMP_WORDS", None)
    completed = BashComplete(cli, {}, "onesignal-pipeline", "_X")
    offered = [item.value for item in completed.get_completions(words.split(), "")]
    assert offered[:3] == ["keep-all", "curb-sent-and-displayed", "engagement-only"]
    assert "new.yaml" in offered


@pytest.mark.usefixtures("files")
def test_a_file_of_messages_with_times_has_those_times(capsys: pytest.CaptureFixture[str]) -> None:
    line = orjson.dumps({"key": "u-1", "timestamp": 1_600_000_000_000, "value": raw_event()})
    Path("events.jsonl").write_bytes(line)
    assert run(["rules", "what-if", "new.yaml", "--from", "events.jsonl"], {}) == ExitCode.DONE
    assert "from 2020-09-13 12:26 to 2020-09-13 12:26 UTC" in capsys.readouterr().out


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize(
    ("since", "told"),
    [
        ("1969-12-31", "before 1970"),
        ("999999w", "before 1970"),
        ("0001-01-01T00:00:00+23:59", "before 1970"),
        ("2999-01-01", "is in the future"),
        ("9999-12-31T23:59:59-23:59", "is in the future"),
        ("2026-02-30", "is not a time"),
        ("", "is not a time"),
        ("7\u0661d", "is not a time"),
        ("9" * 5_000 + "d", "is not a time"),
    ],
)
def test_a_time_that_kafka_cannot_know_is_a_mistake(since: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    environment = {"PIPELINE_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}
    assert run(["rules", "what-if", "new.yaml", "--since", since], environment) == ExitCode.MISTAKE
    assert told in capsys.readouterr().err


@pytest.mark.usefixtures("files")
def test_the_epoch_itself_and_this_moment_are_times(capsys: pytest.CaptureFixture[str]) -> None:
    for since in ("1970-01-01", "0m"):
        assert run(["rules", "what-if", "new.yaml", "--since", since], {}) == ExitCode.MISTAKE
        assert "PIPELINE_KAFKA_BOOTSTRAP_SERVERS" in capsys.readouterr().err


@pytest.mark.usefixtures("files")
def test_an_earlier_page_survives_a_disk_that_is_full(capsys: pytest.CaptureFixture[str]) -> None:
    Path("report.html").write_text("earlier", encoding="utf-8")
    arguments = ["--from", "events.jsonl", "--html", "report.html"]
    with full_disk():
        assert run(["rules", "what-if", "new.yaml", *arguments], {}) == ExitCode.FAILED
    assert "report.html cannot be written: File too large." in capsys.readouterr().err
    assert Path("report.html").read_text(encoding="utf-8") == "earlier"
    assert {path.name for path in Path().iterdir()} == {"new.yaml", "events.jsonl", "report.html"}


def test_no_shell_is_offered_a_file_whose_name_steers_the_terminal(files: Path) -> None:
    for name in ("bad\x1b[2J.yaml", "bad\nforged", "bad\u202e.yaml", "good é.yaml"):
        (files / name).touch()
    completed = BashComplete(cli, {}, "onesignal-pipeline", "_X")
    offered = {item.value for item in completed.get_completions(["rules", "check"], "")}
    assert {each for each in offered if "bad" in each or "good" in each} == {"good é.yaml"}
