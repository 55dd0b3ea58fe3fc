"""Errors that end a demo before its closing tables.

DemoError               the run cannot go on; the text has the reason
├── ProcessEndedError   one of its processes ended unexpectedly; the text has the end of its log
└── StandstillError     there was no progress for too long
"""

from __future__ import annotations


class DemoError(Exception):
    """The run cannot go on."""


class ProcessEndedError(DemoError):
    """One of the demo's processes ended unexpectedly."""

    def __init__(self, name: str, code: int | None, log_tail: str) -> None:
        """Build the text from the process's name, its exit code (None: it is running but not ready) and its log."""
        ended = "did not start properly" if code is None else f"ended with exit code {code}"
        super().__init__(f"the {name} {ended}; the end of its log:\n{log_tail or '(empty)'}")


class StandstillError(DemoError):
    """There was no progress for too long."""
