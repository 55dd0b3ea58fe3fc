"""Check the installed Faust before a worker starts."""

from __future__ import annotations

from faust import streams

from pipeline.stream.errors import WrongEnvironmentError


def check_environment() -> None:
    """Check that Faust's compiled modules are loaded.

    The pure-Python fallback acknowledges events of a past generation (faust-streaming 0.15.3, streams.py:1287).

    Raises:
        WrongEnvironmentError: they are not.
    """
    if streams._CStreamIterator is None:  # noqa: SLF001 - Faust has no public way to check
        raise WrongEnvironmentError(
            "Faust's compiled modules are not loaded: install faust-streaming from a wheel, or with a C compiler "
            "present, and do not set NO_CYTHON"
        )
