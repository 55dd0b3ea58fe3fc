"""Options, fixtures and Hypothesis profiles of all tests; pytest reads options only from the conftest at its root.

Property tests try few examples by default, and more with ``HYPOTHESIS_PROFILE=thorough``.
"""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest
import structlog
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# No deadlines, and no check of how fast examples are drawn: the machine may be busy with brokers, and time is measured
# by the benchmarks.
for _profile, _examples in (("fast", 100), ("thorough", 5_000)):
    settings.register_profile(
        _profile, max_examples=_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


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
