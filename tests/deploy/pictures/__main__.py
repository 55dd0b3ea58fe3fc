"""Run the pipeline under load for some minutes and draw its dashboards: `python -m tests.deploy.pictures`.

This needs Prometheus, Node.js with npm, and Chromium. It is not part of CI, which tests the queries and the JSON; a
person looks at the pictures.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from tests.deploy.dashboards.files import generated
from tests.deploy.live import ONE_IN_SIXTEEN, ONE_IN_SIXTEEN_OF_MIXPANEL, live
from tests.deploy.pictures.data import picture_data
from tests.kafka_program import cache_directory

HERE: Final = Path(__file__).parent
INSTALL: Final = ("install", "--ignore-scripts", "--legacy-peer-deps", "--no-package-lock", "--no-audit", "--no-fund")
BUNDLE: Final = (
    "--bundle",
    "--format=iife",
    "--jsx=automatic",
    '--define:process.env.NODE_ENV="production"',
    "--define:global=window",
    *(f"--loader:.{kind}=dataurl" for kind in ("svg", "woff", "woff2", "ttf")),
)
PAGE: Final = """\
<!doctype html>
<meta charset="utf-8">
<link rel="stylesheet" href="out.css">
<body style="margin: 0"><div id="root"></div><script src="out.js"></script>
"""


def main() -> None:
    """Draw every dashboard into a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=240, help="how long the pipeline runs; faults in between")
    parser.add_argument("--folder", type=Path, default=Path("build/pictures"), help="where the pictures go")
    parser.add_argument("--again", action="store_true", help="draw what was measured before")
    options = parser.parse_args()
    measured = options.folder / "measured.json"
    if not options.again:
        options.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="onesignal-pipeline-pictures-") as scratch:
            measured.write_text(json.dumps(asyncio.run(_measure(Path(scratch), options.seconds))), encoding="utf-8")
    for name, board in json.loads(measured.read_text(encoding="utf-8")).items():
        print(_draw(name, board, options.folder))


async def _measure(folder: Path, seconds: int) -> dict[str, Any]:
    """Run the pipeline with healthy destinations, then with failing ones, then with healthy ones again."""
    async with live(_program("prometheus"), folder, both=True, DEAD_LETTER_MAX_SHARE="1") as stage:
        segment, mixpanel = stage.pipeline.segment.faults, stage.pipeline.mixpanel.faults
        await asyncio.sleep(20)
        started = time.time()
        await asyncio.sleep(seconds * 0.5)
        segment.order(ONE_IN_SIXTEEN, times=40)
        mixpanel.order(ONE_IN_SIXTEEN_OF_MIXPANEL, times=40)
        for faults in (segment, mixpanel):
            faults.schedule(seed=3, rate=0.35)
        await asyncio.sleep(seconds * 0.2)
        for faults in (segment, mixpanel):
            faults.schedule(seed=3, rate=0.0)
        await asyncio.sleep(seconds * 0.3)
        boards = {path.stem: json.loads(text) for path, text in generated().items() if path.suffix == ".json"}
        return {
            name: await picture_data(stage.prometheus, board, started=started, ended=time.time())
            for name, board in boards.items()
        }


def _draw(name: str, board: dict[str, Any], folder: Path) -> Path:
    workshop = _workshop()
    shutil.copy(HERE / "main.jsx", workshop)
    (workshop / "board.json").write_text(json.dumps(board), encoding="utf-8")
    (workshop / "page.html").write_text(PAGE, encoding="utf-8")
    esbuild = workshop / "node_modules" / ".bin" / "esbuild"
    subprocess.run([esbuild, "main.jsx", *BUNDLE, "--outfile=out.js", "--log-level=error"], cwd=workshop, check=True)
    picture = (folder / f"{name}.png").resolve()
    subprocess.run(
        [
            _program("chromium"),
            *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=8000"),
            f"--window-size={board['width']},{board['height']}",
            f"--screenshot={picture}",
            (workshop / "page.html").as_uri(),
        ],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    return picture


def _workshop() -> Path:
    """Install the pinned packages once, outside the clone."""
    folder = cache_directory() / "grafana-ui"
    pins = (HERE / "package.json").read_text(encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    installed = folder / "installed.json"
    if not installed.exists() or installed.read_text(encoding="utf-8") != pins:
        (folder / "package.json").write_text(pins, encoding="utf-8")
        subprocess.run([_program("npm"), *INSTALL], cwd=folder, check=True)
        installed.write_text(pins, encoding="utf-8")
    return folder


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is not installed")
    return found


if __name__ == "__main__":
    main()
