from __future__ import annotations

import os
import re
from threading import Thread
from typing import TYPE_CHECKING

import orjson
import pytest
from click.shell_completion import BashComplete

from pipeline.cli.main import ExitCode, cli, run

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("logs_put_back")

RULES = """\
rules:
  - name: no sends
    when: {action: [sent]}
    then: drop
  - when: {kind: message.push.sent}
    then: keep
"""


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.yaml"
    path.write_text(RULES, encoding="utf-8")
    return str(path)


def _event(folder: Path, **facts: str) -> str:
    path = folder / "event.json"
    path.write_bytes(orjson.dumps({"event": {"id": "e-1", "external_id": "u-1", **facts}}))
    return str(path)


def test_a_good_file_is_summed_up(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n  - when: {action: sent}\n    then: drop\n", encoding="utf-8")
    assert run(["rules", "check", str(path)], {}) == ExitCode.DONE
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{path}: 1 rule, default keep, version ")
    assert captured.err == ""


def test_a_rule_that_can_never_match_is_a_warning(rules: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "check", rules], {}) == ExitCode.DONE
    assert capsys.readouterr().err.startswith(f"warning: {rules}:5: ")


def test_every_mistake_in_a_file_is_told_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("rules:\n  - when: {action: snet}\n    then: dropp\n", encoding="utf-8")
    assert run(["rules", "check", str(path)], {}) == ExitCode.MISTAKE
    assert capsys.readouterr().err.splitlines() == [
        f"{path}:2: unknown action `snet`; did you mean `sent`?",
        f"{path}:3: unknown decision `dropp`; did you mean `drop`?",
    ]


def test_a_file_that_is_not_there_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "check", str(tmp_path / "absent")], {}) == ExitCode.MISTAKE
    assert "there is no such file" in capsys.readouterr().err


def test_a_file_of_bytes_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "rules.yaml").write_bytes(b"rules: \xff")
    assert run(["rules", "check", str(tmp_path / "rules.yaml")], {}) == ExitCode.MISTAKE
    assert "it is not UTF-8 text, from byte 7 on" in capsys.readouterr().err


def test_a_preset_is_checked_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "check", "engagement-only"], {}) == ExitCode.DONE
    assert capsys.readouterr().out.startswith("preset engagement-only: 1 rule, default keep, version ")


def test_the_rule_that_decides_is_named(rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "explain", rules, _event(tmp_path, kind="message.push.sent")], {}) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines() == [
        "kind      message.push.sent (push, sent, delivery)",
        "mtu       counted",
        "outcome   dropped: rule",
        f"decided   {rules}:2: rule 1 `no sends`: drop",
    ]


def test_what_depends_on_who_is_tracked_and_what_shadows_would_do_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shadow.yaml"
    path.write_text("rules:\n  - {name: no sends, then: drop, shadow: true}\n  - {then: tracked_only}\n")
    assert run(["rules", "explain", str(path), _event(tmp_path, kind="message.push.sent")], {}) == ExitCode.DONE
    told = capsys.readouterr().out.splitlines()
    assert told[2:4] == [
        "outcome   delivered if its user was tracked this month before, else dropped: not_tracked",
        f"decided   {path}:3: rule 2: tracked_only",
    ]
    assert '  "event": "Push Sent",' in told, "the record of a user who was"
    assert told[-1] == f"shadow    {path}:2: rule 1 `no sends`: drop, if it were not a shadow rule"


def test_the_record_of_a_delivered_event_is_shown(
    rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rules", "explain", rules, _event(tmp_path, kind="message.push.clicked")], {}) == ExitCode.DONE
    told = capsys.readouterr().out
    head, _, record = told.partition("{")
    assert head.splitlines()[:5] == [
        "kind      message.push.clicked (push, clicked, engagement)",
        "mtu       counted",
        "outcome   delivered",
        f"decided   {rules}: no rule matches, so the default applies: keep",
        "user key  u-1",
    ]
    sent = orjson.loads("{" + record)
    assert (sent["event"], sent["userId"], sent["messageId"]) == ("Push Clicked", "u-1", "e-1")


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("message.push.sent", {"segment": "dropped: rule", "mixpanel": "delivered"}),
        ("message.push.failed", {"segment": "dropped: rule", "mixpanel": "dropped: rule"}),
    ],
)
def test_the_mtu_class_at_the_destination_is_told_and_decides(
    kind: str, told: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = _event(tmp_path, kind=kind, datetime="2026-01-01T00:00:00Z")
    for destination, outcome in told.items():
        assert run(["rules", "explain", "exempt-delivery", event, "--destination", destination], {}) == ExitCode.DONE
        mtu_class = "exempt" if outcome == "delivered" else "counted"
        assert capsys.readouterr().out.splitlines()[1:3] == [f"mtu       {mtu_class}", f"outcome   {outcome}"]


def test_what_cannot_be_used_is_told_with_its_reason(
    rules: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "event.json").write_bytes(b"\xff\xfe")
    assert run(["rules", "explain", rules, str(tmp_path / "event.json")], {}) == ExitCode.DONE
    assert capsys.readouterr().out.splitlines() == [
        "kind      not given in the event",
        "outcome   rejected: not_utf8; it would become a dead letter",
    ]


def test_an_unknown_kind_is_called_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    event = _event(tmp_path, kind="message.fax.sent")
    assert run(["rules", "explain", "keep-all", event], {"PIPELINE_UNKNOWN_KINDS": "deliver"}) == ExitCode.DONE
    told = capsys.readouterr().out
    assert "message.fax.sent (other, sent, delivery, not a known kind)" in told
    assert "outcome   delivered" in told


@pytest.mark.parametrize(
    ("kind", "setting"),
    [("message.push.clicked", "ANONYMOUS_ENGAGEMENT"), ("message.push.received", "ANONYMOUS_DELIVERY")],
)
@pytest.mark.parametrize("policy", ["drop", "reject"])
def test_a_setting_that_decides_is_named(
    kind: str, setting: str, policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    event = _event(tmp_path, kind=kind, external_id="", subscription_id="s-1")
    assert run(["rules", "explain", "keep-all", event], {f"PIPELINE_{setting}": policy}) == ExitCode.DONE
    told = capsys.readouterr().out
    assert re.search(rf"outcome   {policy}\w+: anonymous", told)
    assert f"decided   PIPELINE_{setting}={policy}: the event has no external id\n" in told
    assert "no rule matches" not in told


@pytest.mark.parametrize(
    ("kind", "setting", "decided"),
    [
        ("message.fax.sent", "reject", ["decided   PIPELINE_UNKNOWN_KINDS=reject"]),
        ("a@b.example", "reject", ["decided   PIPELINE_UNKNOWN_KINDS=reject"]),
        ("a@b.example", "deliver", []),  # no setting accepts an address as a kind
    ],
)
def test_an_unknown_kind_is_rejected_by_its_setting(
    kind: str, setting: str, decided: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["rules", "explain", "keep-all", _event(tmp_path, kind=kind)], {"PIPELINE_UNKNOWN_KINDS": setting}) == 0
    told = capsys.readouterr().out
    assert "outcome   rejected: unknown_kind" in told
    assert [line for line in told.splitlines() if line.startswith("decided")] == decided


def test_the_file_that_is_given_takes_the_place_of_the_one_in_the_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.yaml").write_text("rules: 1\n", encoding="utf-8")
    event = _event(tmp_path, kind="message.push.clicked")
    environment = {"PIPELINE_RULES_FILE": str(tmp_path / "broken.yaml"), "PIPELINE_RULES_PRESET": "nonsense"}
    assert run(["rules", "explain", "keep-all", event], environment) == ExitCode.DONE
    assert "outcome   delivered" in capsys.readouterr().out


def test_rules_and_event_cannot_both_come_from_standard_input(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rules", "explain", "-", "-"], {}) == ExitCode.MISTAKE
    assert "FILE is `-` already, and standard input is read once." in capsys.readouterr().err


@pytest.mark.parametrize("command", [["rules", "check"], ["rules", "explain"]])
@pytest.mark.parametrize(
    ("begun", "offered"),
    [
        (
            "",
            [
                ("plain", "keep-all"),
                ("plain", "curb-sent-and-displayed"),
                ("plain", "engagement-only"),
                ("plain", "tracked-only"),
                ("plain", "exempt-delivery"),
                ("plain", "folder/"),
                ("plain", "kept.yaml"),
            ],
        ),
        ("k", [("plain", "keep-all"), ("plain", "kept.yaml")]),
        ("folder/r", [("file", "folder/r")]),
    ],
)
def test_a_shell_is_offered_presets_and_files(
    command: list[str],
    begun: str,
    offered: list[tuple[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("kept.yaml", ".hidden"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    completions = BashComplete(cli, {}, "onesignal-pipeline", "_X").get_completions(command, begun)
    assert [(completion.type, completion.value) for completion in completions] == offered


def test_rules_may_come_through_a_pipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = Thread(target=pipe.write_text, args=("rules: [{then: drop}]",))
    writer.start()
    assert run(["rules", "check", str(pipe)], {}) == ExitCode.DONE
    writer.join()
    assert capsys.readouterr().out.startswith(f"{pipe}: 1 rule, ")
