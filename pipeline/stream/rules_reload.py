"""Take up the rules again when their files change, between two batches; what cannot be used is refused whole."""

from __future__ import annotations

import asyncio
import hashlib
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from pipeline.kafka.errors import ClusterFaultError
from pipeline.kafka.headers import RULES_VERSION
from pipeline.settings.mistakes import SettingsError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from pathlib import Path

    from pipeline.core.policy import Policy
    from pipeline.metrics.rules import RulesMetrics

logger = structlog.get_logger(__name__)


async def accept_any(policy: Policy) -> str | None:
    """Object to nothing."""
    del policy
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesSource:
    """The files that decide, none where nothing can change, and how a policy is made of them.

    ``load`` raises `SettingsError` with every mistake of the files.
    """

    files: Sequence[Path]
    load: Callable[[], Policy]


class RulesReload:
    """Looks at the content of the files, so that the links of a mounted ConfigMap may turn as they like.

    ``policy`` is what is in force.
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
        """Take what is in force at the start.

        `objection` says why a new policy must not be used, and raises `ClusterFaultError` where it cannot tell now.
        """
        self._source = source
        self._metrics = metrics
        self._interval_seconds = interval_seconds
        self._objection = objection
        self._now = now
        self._content: bytes | None = None
        self._refusal: str | None = None
        self.policy = policy
        self._since = now()
        metrics.loaded(rules=policy.rules.version, policy=policy.version, at_seconds=self._since)

    @property
    def note(self) -> str:
        """What `/readyz` tells of the rules."""
        since = datetime.fromtimestamp(self._since, UTC).isoformat(timespec="seconds")
        header = f"{RULES_VERSION}: {self.policy.version}"  # which settings have a part in, too
        note = f"rules {self.policy.rules.version} since {since} ({header} in headers)"
        return note if self._refusal is None else f"{note}; a change was refused: {self._refusal}"

    async def run(self) -> None:
        """Look again and again until cancelled; where no file decides there is nothing to look at.

        The first look reads the files anew in any case: they may have changed since the policy was made of them.
        """
        while self._source.files:
            await asyncio.sleep(self._interval_seconds)
            await self.look()

    async def look(self) -> None:
        """Take up what has changed since the last look."""
        content = await asyncio.to_thread(self._read)
        if content == self._content:
            return
        try:
            policy = await asyncio.to_thread(self._source.load)
            in_force = policy.version == self.policy.version
            reason = None if in_force else await self._objection(policy)
        except SettingsError as error:
            # A file that was away for a moment, between the two readings, gives no such reason a second time.
            self._content = content if str(error) == self._refusal else None
            self._refuse(str(error))
            return
        except ClusterFaultError as error:
            self._content = None  # ask again at the next look
            self._refuse(str(error))
            return
        self._content = content
        if reason is not None:
            self._refuse(reason)
            return
        if not in_force or policy.rules != self.policy.rules:
            self._take_up(policy)
        elif self._refusal is not None:
            logger.info("the rules in force are in their file again", rules_version=policy.rules.version)
        self._refusal = None
        self._metrics.loaded(rules=policy.rules.version, policy=policy.version, at_seconds=self._since)

    def _take_up(self, policy: Policy) -> None:
        self.policy, self._since = policy, self._now()
        rules = policy.rules
        logger.info("rules changed", source=rules.filename, rules=len(rules.rules), rules_version=rules.version)
        for warning in rules.warnings:
            logger.warning(str(warning))

    def _refuse(self, reason: str) -> None:
        if reason != self._refusal:
            logger.error("changed rules are refused, those from before stay", reason=reason)
        self._refusal = reason
        self._metrics.refused()

    def _read(self) -> bytes:
        """Hash what the files hold; one that cannot be read counts as one that holds nothing."""
        digest = hashlib.sha256()
        for file in self._source.files:
            try:
                digest.update(hashlib.sha256(file.read_bytes()).digest())
            except OSError:
                digest.update(b"unreadable")
        return digest.digest()
