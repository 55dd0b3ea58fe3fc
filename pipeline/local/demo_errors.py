"""What ends a demo before its table.

DemoError               the run cannot go on; the text says why
├── ProcessEndedError   one of its processes ended by itself; the text has the end of its log
└── StandstillError     nothing has moved for too long
"""

from __future__ import annotations


class DemoError(Exception):
    """The run cannot go on."""


class ProcessEndedError(DemoError):
    """One of the demo's processes ended by itself."""

    def __init__(self, name: str, code: int | None, log_tail: str) -> None:
        """Take the process's name, its exit code (None: it runs, but not as it should) and the end of its log."""
        ended = "did not start properly" if code is None else f"ended with exit code {code}"
        super().__init__(f"the {name} {ended}; the end of its log:\n{log_tail or '(empty)'}")


class StandstillError(DemoError):
    """Nothing has moved for too long."""
