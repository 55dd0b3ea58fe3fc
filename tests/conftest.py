"""Options and fixtures of the whole suite; pytest reads options only from the conftest at its root."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# No deadlines: the machine may be busy, and time is measured by the benchmarks.
settings.register_profile("without deadlines", deadline=None)
settings.load_profile("without deadlines")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that selects the brokers of the integration suite."""
    parser.addoption(
        "--broker",
        choices=("embedded", "real", "both"),
        default=os.environ.get("TEST_BROKER", "both"),
        help="brokers that the integration suite runs on (environment: TEST_BROKER; default: both)",
    )


@pytest.fixture
def logs_put_back() -> Iterator[None]:
    """Undo the effects of `configure_logs` on this process, which every command of the program calls."""
    names = (None, "pipeline", "aiohttp", "aiokafka", "asyncio", "confluent_kafka", "faust", "mode")
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger, logger.handlers[:], logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, handlers, level, propagate in before:
        logger.handlers[:] = handlers
        logger.setLevel(level)
        logger.propagate = propagate
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()
