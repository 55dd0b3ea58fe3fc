"""Dashboards as Grafana's own types see them: `@grafana/schema`, checked by TypeScript."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.dashboards.files import generated
from tests.deploy.programs import program
from tests.kafka_program import cache_directory

PINS: Final = Path(__file__).parent / "grafana_schema"
INSTALL_SECONDS: Final = 300
CHECK_SECONDS: Final = 180


@pytest.fixture(scope="module")
def compiler() -> Path:
    """Install the pinned packages once, outside the clone."""
    npm = program("npm", package="npm")
    program("node", package="nodejs")
    pins = {name: (PINS / name).read_bytes() for name in ("package.json", "package-lock.json")}
    folder = cache_directory() / f"grafana-schema-{hashlib.sha256(b''.join(pins.values())).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        compiler = folder / "node_modules" / ".bin" / "tsc"
        if not (folder / "complete").exists():
            for name, content in pins.items():
                (folder / name).write_bytes(content)
            command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
            installed = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, check=False, timeout=INSTALL_SECONDS
            )
            assert installed.returncode == 0, installed.stdout + installed.stderr
            (folder / "complete").touch()
    return compiler


def complaints(compiler: Path, folder: Path, board: Any) -> str:
    """Check one dashboard; return what the compiler says of it."""
    root = compiler.parents[2]
    shutil.copy(PINS / "dashboard.ts", folder)
    (folder / "node_modules").symlink_to(root / "node_modules")
    text = 'import type { Dashboard } from "./dashboard";\n'
    (folder / "checked.ts").write_text(f"{text}export const checked: Dashboard = {json.dumps(board)};\n")
    options = ["--noEmit", "--strict", "--skipLibCheck", "--moduleResolution", "node", "--module", "commonjs"]
    checked = subprocess.run(
        [str(compiler), *options, "checked.ts"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=CHECK_SECONDS,
    )
    return checked.stdout if checked.returncode else ""


BOARDS: Final = {path.stem: path for path in generated() if path.suffix == ".json"}


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_is_what_grafanas_types_say(name: str, compiler: Path, tmp_path: Path) -> None:
    assert complaints(compiler, tmp_path, json.loads(BOARDS[name].read_text(encoding="utf-8"))) == ""


def test_a_misspelt_key_of_a_panel_would_be_found(compiler: Path, tmp_path: Path) -> None:
    board = json.loads(BOARDS["overview"].read_text(encoding="utf-8"))
    board["panels"][1]["targetz"] = board["panels"][1].pop("targets")
    assert "targetz" in complaints(compiler, tmp_path, board)
