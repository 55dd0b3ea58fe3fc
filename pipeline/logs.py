"""Logs: one JSON object a line, or text for people, on standard error; libraries' lines go through the same renderer.

Standard output is left to what commands answer. Containers collect both.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Final, TextIO

import orjson
import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor

_FIRST: Final = ("timestamp", "level", "logger", "message")
# Libraries that tell the same story once more, or much too much of it, are heard from these levels on.
_LIBRARY_LEVELS: Final = {
    "aiohttp.access": logging.WARNING,
    "aiokafka": logging.WARNING,
    "asyncio": logging.WARNING,
    "faust": logging.WARNING,
    "mode": logging.WARNING,
}


def configure_logs(level: str, *, as_json: bool, stream: TextIO | None = None) -> None:
    """Send every log line of this process, of whatever library, to a stream (standard error) in one form.

    `level` is `debug`, `info`, `warning` or `error`; at `debug` the libraries are heard in full.
    """
    stream = stream or sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(stream, as_json=as_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    logging.captureWarnings(capture=True)
    for name, library_level in _LIBRARY_LEVELS.items():
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.DEBUG if threshold <= logging.DEBUG else max(threshold, library_level))


def _renderers(stream: TextIO, *, as_json: bool) -> list[Processor]:
    # Tracebacks without local variables: those hold event bodies and secrets.
    if as_json:
        return [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=_json),
        ]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain)]


def _json(line: EventDict, **_: object) -> str:
    ordered = {**{name: line[name] for name in _FIRST if name in line}, **line}
    return orjson.dumps(ordered, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
