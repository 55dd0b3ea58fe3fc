"""The leash: start a program so that it dies with the process that asked for it, even when that one is killed.

Linux only; elsewhere the program is started all the same and only an orderly end of its parent reaches it.
The parent must start the leash from a thread that lives as long as itself: the signal follows that thread.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Sequence

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG, linux/prctl.h; it survives execve


def leashed(command: Sequence[str]) -> list[str]:
    """Return the command line that runs ``command`` on a leash held by this process; its process id stays the same."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main(arguments: Sequence[str]) -> NoReturn:
    """Tie this process to the parent with the given id, then become the program."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != int(parent):  # it died before the signal was armed
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 -- no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
