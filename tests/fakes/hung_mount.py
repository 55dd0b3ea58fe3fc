"""The program with a mount that can hang: `python -m tests.fakes.hung_mount FOLDER COMMAND …`.

While `FOLDER.hangs` exists, operations on files in FOLDER do not return. A real network mount does the same in the
kernel, where no test can create and repair it without being root.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_SECONDS: Final = 0.02


def mark(folder: Path) -> Path:
    """Return the file whose presence makes a folder hang."""
    return folder.with_name(f"{folder.name}.hangs")


def _hanging(real: Callable[..., Any], folder: Path) -> Callable[..., Any]:
    exists, inside, marked = os.path.lexists, f"{folder}/", str(mark(folder))

    def call(path: Any, *arguments: Any, **options: Any) -> Any:
        while str(path).startswith(inside) and exists(marked):
            time.sleep(_LOOK_SECONDS)
        return real(path, *arguments, **options)

    return call


if __name__ == "__main__":
    mount = Path(sys.argv.pop(1))
    os.stat, os.open = _hanging(os.stat, mount), _hanging(os.open, mount)
    main()
