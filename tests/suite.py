"""Run all checks, one step after another, and print a table of the results: `make test`.

A step that fails does not prevent the others. Steps whose programs are not installed are skipped and listed: those on a
real Kafka without Java, the site without Chromium. With `CI=true` that is a failure, and the chart is checked as well
(`make test-chart`, whose tools take half an hour to build the first time).

`KAFKA_BOOTSTRAP_SERVERS` names an existing cluster. Chaos always starts its own, because it stops and kills it,
and so does hostile, because it damages what is stored.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Future, wait
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from threading import Thread
from typing import IO, Final

from pipeline.runtime.leash import leashed
from tests.docs_site.browser import PROGRAM
from tests.kafka_server import KafkaUnavailableError, find_tools

BIN: Final = Path(sys.executable).parent
PYTHON: Final = (sys.executable, "-m")
UNIT: Final = "unit and property tests"
SABOTAGE: Final = "sabotage, every mistake noticed"
_LOOK_SECONDS: Final = 0.5
COVERED: Final = (*PYTHON, "coverage", "run", "-m", "pytest")
# Decisions are covered to the last branch; I/O as far as it can be driven from outside.
FULLY_COVERED: Final = (
    "pipeline/core/*",
    "pipeline/settings/*",
    "pipeline/kafka/certificates.py",
    "pipeline/kafka/partitioner.py",
    "pipeline/state/stored_marks.py",
    "pipeline/state/message_catalogue.py",
    "pipeline/state/partition_state.py",
    "pipeline/state/sketches.py",
    "pipeline/state/tracked_users.py",
    "pipeline/state/user_sketch.py",
    "pipeline/stream/ledger.py",
    "pipeline/tools/schema_versions.py",
    "pipeline/tools/tracked_users/rows.py",
    "pipeline/tools/tracked_users/users_file.py",
    *(
        f"pipeline/delivery/{module}.py"
        for module in (
            "actions",
            "answer_body",
            "answers",
            "api",
            "compression",
            "decisions",
            "dissection",
            "doubts",
            "error_text",
            "examination",
            "exchange",
            "holds",
            "in_hand",
            "intake",
            "lane",
            "letters",
            "limits",
            "options",
            "pace",
            "packing",
            "probe",
            "reject_reasons",
            "report",
            "request_batch",
            "secret_file",
            "status",
        )
    ),
    "pipeline/sinks/*",
)


class Verdict(StrEnum):
    """The result of a step."""

    PASSED = "passed"
    FAILED = "FAILED"
    NOT_RUN = "NOT RUN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of the suite.

    `begins_with` names an earlier step with which it is started in parallel, for one that mostly waits. Its output is
    shown when its turn comes. `only_in_ci`: steps that take too long for a newcomer.
    """

    title: str
    command: tuple[str, ...]
    needs_real_kafka: bool = False
    needs_own_kafka: bool = False
    needs_program: str | None = None
    only_in_ci: bool = False
    begins_with: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """A step that was started before its turn: its output file, and its exit code and seconds when it has ended."""

    printed: IO[bytes]
    end: Future[tuple[int, float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A step and its result."""

    step: Step
    verdict: Verdict
    seconds: float = 0.0


STEPS: Final = (
    Step(title="lint", command=(str(BIN / "ruff"), "check", ".")),
    Step(title="format", command=(str(BIN / "ruff"), "format", "--check", ".")),
    Step(title="import rules", command=(str(BIN / "lint-imports"),)),
    Step(title="types", command=(str(BIN / "mypy"),)),
    Step(title=UNIT, command=(*COVERED, "tests/unit", "tests/properties")),
    Step(title=SABOTAGE, command=(*PYTHON, "tests.sabotage")),
    Step(title="simulation, 20,000 seeds", command=(*PYTHON, "pytest", "tests/simulation")),
    Step(title="fuzz, 100,000 bodies", command=(*PYTHON, "tests.bench", "fuzz", "--digest")),
    Step(title="golden bytes and tables", command=(*PYTHON, "pytest", "tests/golden")),
    Step(
        title="integration, embedded broker",
        command=(*COVERED, "tests/integration", "--broker", "embedded", "-rfE"),
        begins_with=SABOTAGE,
    ),
    Step(title="coverage files", command=(*PYTHON, "coverage", "combine", "--quiet")),
    Step(title="coverage, all code, 90 %", command=(*PYTHON, "coverage", "report")),
    Step(
        title="coverage, decisions, 100 %",
        command=(*PYTHON, "coverage", "report", "--fail-under=100", f"--include={','.join(FULLY_COVERED)}"),
    ),
    Step(title="site, in a browser", command=(*PYTHON, "pytest", "tests/docs_site"), needs_program=PROGRAM),
    Step(
        title="integration, real Kafka",
        command=(*PYTHON, "pytest", "tests/integration", "--broker", "real", "-rfE", "-m", "not cluster and not alone"),
        needs_real_kafka=True,
        begins_with=UNIT,
    ),
    Step(
        title="integration, three-node Kafka",
        command=(*PYTHON, "pytest", "tests/integration", "--broker", "real", "-rfE", "-m", "cluster"),
        needs_real_kafka=True,
    ),
    Step(
        title="integration, one destination away",
        command=(*PYTHON, "pytest", "tests/integration/test_isolation.py", "--broker", "real", "-rfE", "-m", "alone"),
        needs_real_kafka=True,
    ),
    Step(
        title="benchmark, one short round",
        command=(*PYTHON, "tests.bench", "speed", "--rounds", "1", "--events", "20000"),
        needs_real_kafka=True,
    ),
    Step(title="chaos, short form", command=(*PYTHON, "tests.chaos", "--short"), needs_own_kafka=True),
    Step(title="hostile, short form", command=(*PYTHON, "tests.hostile", "--short"), needs_own_kafka=True),
    Step(
        title="chart, with its tools",
        command=("nice", *PYTHON, "tests.deploy"),
        only_in_ci=True,
        begins_with=UNIT,
    ),
)


def main() -> int:
    """Run the suite and return its exit code."""
    in_ci = os.environ.get("CI", "").lower() == "true"
    shutil.rmtree("build/coverage", ignore_errors=True)
    ahead: dict[str, Ahead] = {}
    results = []
    steps = [step for step in STEPS if in_ci or not step.only_in_ci]
    for step in steps:
        beside = [other for other in steps if other.begins_with == step.title and not _lacking(other)]
        for other in beside:
            _say(f"\n== running in parallel, output follows later: {other.title} ==")
            ahead[other.title] = _begun(other)
        results.append(_result(step, ahead.get(step.title), in_ci=in_ci))
    _say("\n" + "\n".join(_line(result) for result in results))
    failed = [result.step.title for result in results if result.verdict is Verdict.FAILED]
    not_run = [result.step.title for result in results if result.verdict is Verdict.NOT_RUN]
    if failed:
        _say(f"\nFAILED: {', '.join(failed)}")
    elif not_run:
        _say(f"\nAll steps that were run passed. Not run: {', '.join(not_run)}")
    else:
        _say("\nAll steps passed.")
    return 1 if failed else 0


def _lacking(step: Step) -> str:
    """Return what this machine lacks for a step: a program, or a real Kafka; empty when it can be run."""
    if step.needs_program and shutil.which(step.needs_program) is None:
        return f"{step.needs_program} is not installed"
    is_given = bool(os.environ.get("KAFKA_BOOTSTRAP_SERVERS"))
    if not step.needs_own_kafka and (is_given or not step.needs_real_kafka):
        return ""
    try:
        find_tools()
    except KafkaUnavailableError as error:
        return str(error)
    return ""


def _begun(step: Step) -> Ahead:
    started = time.monotonic()
    with tempfile.NamedTemporaryFile() as file:
        process = subprocess.Popen(
            leashed(step.command), stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT
        )
        printed = Path(file.name).open("rb")  # noqa: SIM115 -- it is read when its turn comes
    end: Future[tuple[int, float]] = Future()
    Thread(target=lambda: end.set_result((process.wait(), time.monotonic() - started)), daemon=True).start()
    return Ahead(printed=printed, end=end)


def _shown(ahead: Ahead) -> tuple[int, float]:
    """Show the output of a step that was started earlier, until its end; return its exit code and duration."""
    with ahead.printed as printed:
        is_over = False
        while not is_over:
            is_over = bool(wait([ahead.end], _LOOK_SECONDS).done)
            sys.stdout.buffer.write(printed.read())
            sys.stdout.flush()
    return ahead.end.result()


def _run(step: Step) -> tuple[int, float]:
    started = time.monotonic()
    code = subprocess.run(leashed(step.command), check=False).returncode
    return code, time.monotonic() - started


def _result(step: Step, ahead: Ahead | None, *, in_ci: bool) -> Result:
    _say(f"\n== {step.title} ==")
    if lacking := _lacking(step):
        _say(lacking)
        return Result(step=step, verdict=Verdict.FAILED if in_ci else Verdict.NOT_RUN)
    code, seconds = _run(step) if ahead is None else _shown(ahead)
    return Result(
        step=step,
        verdict=Verdict.FAILED if code else Verdict.PASSED,
        seconds=seconds,
    )


def _line(result: Result) -> str:
    return f"{result.step.title:<32} {result.verdict:<8} {result.seconds:6.1f} s"


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
