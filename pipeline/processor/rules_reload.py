"""Reload the rules when their files change, between two batches. Rules with any mistake are rejected as a whole."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import structlog

from pipeline.kafka.errors import ClusterFaultError
from pipeline.kafka.headers import RULES_VERSION
from pipeline.settings.files import Content, FileError, content_of
from pipeline.settings.mistakes import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping, Sequence

    from pipeline.core.policy import Policy
    from pipeline.metrics.rules import RulesMetrics

logger = structlog.get_logger(__name__)

Read: TypeAlias = Callable[[Path], bytes]
"""Returns the content of a file, or raises `pipeline.settings.files.FileError`."""


async def accept_any(policy: Policy) -> str | None:
    """Return no objection."""
    del policy
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesSource:
    """The files that define the policy, none if nothing can change, and how to load it from them.

    ``load`` receives the function that reads files, and raises `SettingsError` with the mistakes in them.
    """

    files: Sequence[Path]
    load: Callable[[Read], Policy]


class RulesReload:
    """Compares the content of the files, so the symbolic links of a mounted ConfigMap do not matter.

    A policy is loaded from the same bytes that were compared. A file that cannot be read is rejected, and read again
    later. ``policy`` is the policy in force.
    """

    def __init__(
        self,
        source: RulesSource,
        policy: Policy,
        *,
        metrics: RulesMetrics,
        interval_seconds: float,
        objection: Callable[[Policy], Awaitable[str | None]] = accept_any,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Start with the policy in force.

        `objection` returns why a new policy must not be used. It raises `ClusterFaultError` if that is unknown now.
        """
        self._source = source
        self._metrics = metrics
        self._interval_seconds = interval_seconds
        self._objection = objection
        self._now = now
        self._digest: bytes | None = None
        self._refusal: str | None = None
        self.policy = policy
        self._since = now()
        metrics.loaded(rules=policy.rules.version, policy=policy.version, at_seconds=self._since)

    @property
    def note(self) -> str:
        """What `/readyz` shows about the rules."""
        since = datetime.fromtimestamp(self._since, UTC).isoformat(timespec="seconds")
        header = f"{RULES_VERSION}: {self.policy.version}"  # which settings have a part in, too
        note = f"rules {self.policy.rules.version} since {since} ({header} in headers)"
        return note if self._refusal is None else f"{note}; a reload was rejected: {self._refusal}"

    async def run(self) -> None:
        """Check the files regularly until cancelled; return at once without files.

        The first check always loads them: they may have changed since the policy was loaded at the start.
        """
        while self._source.files:
            await asyncio.sleep(self._interval_seconds)
            await self.look()

    async def look(self) -> None:
        """Load the files if they have changed since the last check."""
        contents = {file: await content_of(file) for file in self._source.files}
        digest = _digest(contents.values())
        if digest == self._digest:
            return
        self._digest = digest
        try:
            policy = await asyncio.to_thread(self._source.load, partial(_read_before, contents))
            in_force = policy.version == self.policy.version
            reason = None if in_force else await self._objection(policy)
        except SettingsError as error:
            self._refuse(str(error))
            return
        except ClusterFaultError as error:
            self._digest = None  # try again at the next check
            self._refuse(str(error))
            return
        if reason is not None:
            self._refuse(reason)
            return
        if not in_force or policy.rules != self.policy.rules:
            self._apply(policy)
        elif self._refusal is not None:
            logger.info("rules file matches the rules in force again", rules_version=policy.rules.version)
        self._refusal = None
        self._metrics.loaded(rules=policy.rules.version, policy=policy.version, at_seconds=self._since)

    def _apply(self, policy: Policy) -> None:
        self.policy, self._since = policy, self._now()
        rules = policy.rules
        logger.info("rules reloaded", source=rules.filename, rules=len(rules.rules), rules_version=rules.version)
        for warning in rules.warnings:
            logger.warning(str(warning))

    def _refuse(self, reason: str) -> None:
        if reason != self._refusal:
            logger.error("rules reload rejected, keeping the previous rules", reason=reason)
        self._refusal = reason
        self._metrics.refused()


def _read_before(contents: Mapping[Path, Content], path: Path) -> bytes:
    content = contents[path]
    if isinstance(content, FileError):
        raise content
    return content


def _digest(contents: Iterable[Content]) -> bytes:
    """Hash the contents of the files, or why they cannot be read."""
    digest = hashlib.sha256()
    for content in contents:
        is_read = isinstance(content, bytes)
        seen = content if isinstance(content, bytes) else str(content).encode()
        digest.update(hashlib.sha256(seen).digest() + bytes([is_read]))
    return digest.digest()
