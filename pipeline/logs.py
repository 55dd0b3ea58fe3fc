"""Write logs to standard error: one JSON object per line, or plain text. Libraries use the same renderer.

Standard output is reserved for the results of commands. Containers collect both.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Final, TextIO

import orjson
import structlog

from pipeline.core.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from structlog.typing import EventDict, Processor

_FIRST: Final = ("timestamp", "level", "logger", "message")
_OURS: Final = "pipeline"
# Below these levels libraries log passwords, keys and bodies: aiokafka logs its requests, Faust its events. So they
# apply whatever level is configured.
_LIBRARY_LEVEL: Final = logging.INFO
_QUIET_LIBRARIES: Final = frozenset(
    {"aiohttp", "aiokafka", "asyncio", "confluent_kafka", "faust", "httpcore", "httpx", "httpx2", "mode"}
)
_QUIET_LEVEL: Final = logging.WARNING
_LONG: Final = frozenset({"exception", "stack"})
_REPEAT_SECONDS: Final = 10.0
_MOST_KEPT: Final = 1_000


class _Repeats:
    """Limit repeated messages of a library: while a broker is unreachable, aiokafka logs 150 lines per second.

    The next line that is written has the number of suppressed lines in its field `repeated`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._suppressed: dict[tuple[str, int, str], tuple[float, int]] = {}

    def __call__(self, record: logging.LogRecord) -> bool:
        if _package(record) not in _QUIET_LIBRARIES:
            return True
        kind = (record.name, record.levelno, str(record.msg))
        now = self._clock()
        next_at, count = self._suppressed.get(kind, (now, 0))
        if now < next_at:
            self._suppressed[kind] = (next_at, count + 1)
            return False
        if len(self._suppressed) >= _MOST_KEPT:
            self._suppressed.clear()
        self._suppressed[kind] = (now + _REPEAT_SECONDS, 0)
        if count:
            record.repeated = count
        return True


def _package(record: logging.LogRecord) -> str:
    return record.name.partition(".")[0]


def _is_safe(record: logging.LogRecord) -> bool:
    """Return whether a line is ours, or of a library at a level at which it logs no secret and no body.

    The levels of the loggers have the same effect. This filter also covers loggers whose level a library sets itself.
    """
    package = _package(record)
    if package == _OURS:
        return True
    return record.levelno >= (_QUIET_LEVEL if package in _QUIET_LIBRARIES else _LIBRARY_LEVEL)


class _CommonFields:
    """Add the fields that every line of this process has. A field of the line itself takes precedence."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = dict(fields)

    def __call__(self, _logger: object, _method: str, line: EventDict) -> EventDict:
        return {**self._fields, **line}


def configure_logs(
    level: str,
    *,
    as_json: bool,
    everywhere: Mapping[str, str] | None = None,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Write every log line of this process, libraries included, to a stream (standard error) in one format.

    `everywhere` has the fields that every line gets, such as the role: `worker all` writes two roles to one stream.

    `level` is `debug`, `info`, `warning` or `error`. `debug` applies to our own lines only: no library logs below
    `info`, and most log from `warning` on. Each message of a library is written once in ten seconds; its field
    `repeated` is the number of lines suppressed since.
    """
    stream = stream or sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _CommonFields(everywhere or {}),
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
    handler.addFilter(_is_safe)
    handler.addFilter(_Repeats(clock))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(threshold, _LIBRARY_LEVEL))
    logging.getLogger(_OURS).setLevel(threshold)
    logging.captureWarnings(capture=True)
    for name in _QUIET_LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(max(threshold, _QUIET_LEVEL))


def _renderers(stream: TextIO, *, as_json: bool) -> list[Processor]:
    # Tracebacks have no local variables, because those contain event bodies and secrets.
    if as_json:
        return [
            structlog.processors.format_exc_info,
            structlog.processors.EventRenamer("message"),
            structlog.processors.JSONRenderer(serializer=_json),
        ]
    return [
        structlog.processors.format_exc_info,
        _harmless_line,
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback),
    ]


def _harmless_line(_logger: object, _method: str, line: EventDict) -> EventDict:
    return {visible(name): (_indented if name in _LONG else _harmless)(value) for name, value in line.items()}


def _harmless(value: object) -> object:
    if isinstance(value, str):
        return visible(value)
    shown = visible(repr(value))
    return value if shown == repr(value) else shown


def _indented(text: str) -> str:
    """Return a traceback with indented lines, so that none of them looks like a log line."""
    return "\n".join(f"  {visible(each)}" for each in text.split("\n"))


def _json(line: EventDict, **_: object) -> str:
    ordered = {**{name: line[name] for name in _FIRST if name in line}, **line}
    try:
        written = orjson.dumps(ordered, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # a lone surrogate, or a number beyond 64 bits
        written = orjson.dumps({visible(str(name)): visible(str(value)) for name, value in ordered.items()}).decode()
    return visible(written)
