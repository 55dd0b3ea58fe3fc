"""How the site is built: the locked packages in a separate environment, and MkDocs without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CONFIGURATION: Final = ROOT / "mkdocs.yml"
LOCK: Final = ROOT / "requirements" / "docs.txt"
FOLDER: Final = ROOT / "build" / "site"
ENVIRONMENT: Final = FOLDER / "environment"
PAGES: Final = FOLDER / "pages"
_OFFLINE: Final = Path(__file__).with_name("offline.py")
_PIP: Final = ("-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet", "--progress-bar", "off")


def site_python() -> Path:
    """Return the Python of the site's environment; make it if the lock file has changed since it was made."""
    installed = ENVIRONMENT / "installed.txt"
    python = ENVIRONMENT / "bin" / "python"
    if installed.exists() and installed.read_text(encoding="utf-8") == LOCK.read_text(encoding="utf-8"):
        return python
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", ENVIRONMENT], check=True)
    subprocess.run([python, *_PIP, "--require-hashes", "--prefer-binary", "-r", LOCK], check=True)
    shutil.copy(LOCK, installed)
    return python


def build(folder: Path = PAGES, *, configuration: Path = CONFIGURATION) -> subprocess.CompletedProcess[str]:
    """Build the site into a folder and return how MkDocs ended.

    Never with `--quiet`: MkDocs counts warnings as it prints them, so that a broken link would exit with 0.
    """
    return subprocess.run(
        [site_python(), _OFFLINE, "build", "--strict", "--config-file", configuration, "--site-dir", folder],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "true"},
    )
