"""What is wrong with the files that settings name, as mistakes to be listed with those of the settings themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.bootstrap.policy import build_policy
from pipeline.kafka.connection import tls_context
from pipeline.settings.mistakes import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.settings.mistakes import Mistake
    from pipeline.settings.sections import Settings


def policy_mistakes(settings: Settings) -> tuple[Mistake, ...]:
    """List what is wrong with the rules and names files."""
    return _mistakes(build_policy, settings)


def tls_mistakes(settings: Settings) -> tuple[Mistake, ...]:
    """List what is wrong with the certificates for Kafka, where connections are encrypted."""
    return _mistakes(tls_context, settings) if settings.kafka_security_protocol.encrypts else ()


def _mistakes(use: Callable[[Settings], object], settings: Settings) -> tuple[Mistake, ...]:
    try:
        use(settings)
    except SettingsError as error:
        return error.mistakes
    return ()
