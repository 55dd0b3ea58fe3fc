"""The peak resident memory of a process, as the kernel records it."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LOOK_SECONDS: Final = 0.02


@dataclass(slots=True)
class Peak:
    """The peak so far, in bytes."""

    bytes: int = 0


def peak_of(process_id: int) -> int:
    """Return the peak resident memory of a process in bytes; 0 when it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{process_id}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


@contextmanager
def watched(process_id: int) -> Iterator[Peak]:
    """Poll the memory of a process until the end of the block, and once more then if it still runs."""
    peak, ended = Peak(), Event()

    def watch() -> None:
        while not ended.is_set():
            peak.bytes = max(peak.bytes, peak_of(process_id))
            ended.wait(_LOOK_SECONDS)

    watcher = Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        ended.set()
        watcher.join()
        peak.bytes = max(peak.bytes, peak_of(process_id))
