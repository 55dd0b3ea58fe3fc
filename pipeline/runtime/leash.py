"""The leash: start a program that dies with its parent process, even when that one is killed.

Linux only. On other systems the program starts as well, but only an orderly end of its parent ends it. The parent must
start the leash from a thread that lives as long as the parent: the signal is sent when that thread ends.
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
    """Return the command line that runs ``command`` on a leash of this process. The process id stays the same."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), *command]


def main(arguments: Sequence[str]) -> NoReturn:
    """Tie this process to the parent with the given id, then become the program."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
        if os.getppid() != int(parent):  # the parent died before the signal was set up
            sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606 -- no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
