"""Hostile surroundings: topic settings, other producers' transactions, clocks, and how workers must react to each."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

HOUR: Final = 3_600
DAY: Final = 24 * HOUR
_TINY: Final = "400"


class Where(StrEnum):
    """The topic whose settings are changed."""

    RAW = "raw"
    RECORDS = "records"
    LETTERS = "dead letters"


class Reaction(StrEnum):
    """How workers react."""

    RUN = "work"
    REFUSE = "refuse to start"
    HOLD = "hold"


class Transaction(StrEnum):
    """How another producer's open transaction ends."""

    ABORTED = "aborted"
    COMMITTED = "committed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """One kind of surroundings. Good messages and a bad one are written, and all must have arrived in the end.

    `settings` of the topic `where` exist from the start, or are set `later`; then `mended` are set, and everything
    resumes. No sink is started unless `concerns_sink`. `clock_seconds` is the error of the workers' clock, until it is
    corrected. `reasons`: of the hold, any of which is right. `words` are in the log or on the page of a worker that
    refuses, holds or warns.
    """

    name: str
    kind: str
    reaction: Reaction
    where: Where = Where.RECORDS
    settings: Mapping[str, str] = field(default_factory=dict)
    mended: Mapping[str, str] = field(default_factory=dict)
    later: bool = False
    concerns_sink: bool = True
    clock_seconds: float = 0.0
    transaction: Transaction | None = None
    more: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


_COMPACTED: Final = {"compacted": "compact", "compacted and deleted": "compact,delete"}
_DELETED: Final = {"cleanup.policy": "delete"}
_CLOCK: Final = "this machine's clock is"
"""The start of the text in log and page; the bare word is in metric names, whatever the clock."""


def situations(*, short: bool = False) -> list[Situation]:
    """Return every situation; the short form omits those that are like others."""
    found = [*_refused(), *_tiny(), *_later(), *_harmless(), *_transactions(), *_clocks()]
    return [each for each in found if not short or each.name in _SHORT]


def _refused() -> list[Situation]:
    compacted = [
        Situation(
            name=f"{where} {name}",
            kind="settings that lose messages",
            reaction=Reaction.REFUSE,
            where=where,
            concerns_sink=where is not Where.RAW,
            settings={"cleanup.policy": policy},
            mended=_DELETED,
            words=("cleanup.policy",),
        )
        for where in Where
        for name, policy in _COMPACTED.items()
    ]
    kept = [
        Situation(
            name=f"{where} kept for half an hour",
            kind="settings that are warned of",
            reaction=Reaction.RUN,
            where=where,
            settings={"retention.ms": "1800000"},
            words=("retention.ms",),
        )
        for where in Where
    ]
    replicas = [
        Situation(
            name=f"{where} that ask for two replicas of one",
            kind="settings that refuse messages",
            reaction=Reaction.REFUSE,
            where=where,
            settings={"min.insync.replicas": "2"},
            mended={"min.insync.replicas": "1"},
            words=("min.insync.replicas",),
        )
        for where in (Where.RECORDS, Where.LETTERS)
    ]
    return [*compacted, *kept, *replicas]


def _tiny() -> list[Situation]:
    return [
        Situation(
            name="records of 400 bytes",
            kind="settings that refuse messages",
            reaction=Reaction.REFUSE,
            concerns_sink=False,
            settings={"max.message.bytes": _TINY},
            mended={"max.message.bytes": "20000000"},
            words=("but a record can have",),
        )
    ]


def _later() -> list[Situation]:
    kind = "settings that change"
    return [
        *(
            Situation(
                name=f"{where} of 400 bytes, later",
                kind=kind,
                reaction=Reaction.HOLD,
                where=where,
                settings={"max.message.bytes": _TINY},
                mended={"max.message.bytes": "20000000"},
                later=True,
                reasons=("message_too_large",),
                words=("raise max.message.bytes of that topic",),
            )
            for where in (Where.RECORDS, Where.LETTERS)
        ),
        *(
            Situation(
                name=f"{where} compacted, later",
                kind=kind,
                reaction=Reaction.HOLD,
                where=where,
                settings={"cleanup.policy": "compact"},
                mended=_DELETED,
                later=True,
                reasons=("topic_settings", "kafka_refuses"),
                words=("cleanup.policy",),
            )
            for where in (Where.RECORDS, Where.LETTERS)
        ),
    ]


def _harmless() -> list[Situation]:
    kind = "settings that are odd"
    odd: Mapping[str, tuple[Where, Mapping[str, str]]] = {
        "raw messages of 1 MB at most": (Where.RAW, {"max.message.bytes": "1048588"}),
        "raw messages with the broker's time": (Where.RAW, {"message.timestamp.type": "LogAppendTime"}),
        "records with the worker's time": (Where.RECORDS, {"message.timestamp.type": "CreateTime"}),
        "records with the worker's time, an hour at most": (
            Where.RECORDS,
            {"message.timestamp.type": "CreateTime", "message.timestamp.after.max.ms": "3600000"},
        ),
        "records in gzip": (Where.RECORDS, {"compression.type": "gzip"}),
        "records in zstd": (Where.RECORDS, {"compression.type": "zstd"}),
        "records in snappy": (Where.RECORDS, {"compression.type": "snappy"}),
        "records in lz4": (Where.RECORDS, {"compression.type": "lz4"}),
        "records that are never packed": (Where.RECORDS, {"compression.type": "uncompressed"}),
        "segments of a second": (Where.RECORDS, {"segment.ms": "1000"}),
        "small segments": (Where.RECORDS, {"segment.bytes": "1048576", "segment.index.bytes": "1024"}),
        "flushed at each message": (Where.RECORDS, {"flush.messages": "1"}),
        "space that is taken beforehand": (Where.RECORDS, {"preallocate": "true"}),
        "an unclean election": (Where.RECORDS, {"unclean.leader.election.enable": "true"}),
        "dead letters of a gigabyte at most": (Where.LETTERS, {"retention.bytes": "1000000000"}),
        "dead letters with the worker's time": (Where.LETTERS, {"message.timestamp.type": "CreateTime"}),
    }
    return [
        Situation(name=name, kind=kind, reaction=Reaction.RUN, where=where, settings=settings)
        for name, (where, settings) in odd.items()
    ]


def _transactions() -> list[Situation]:
    return [
        Situation(
            name=f"an open transaction in {where}, {how}",
            kind="transactions of others",
            reaction=Reaction.RUN,
            where=where,
            transaction=how,
        )
        for where in (Where.RAW, Where.RECORDS)
        for how in Transaction
    ]


def _clocks() -> list[Situation]:
    kind = "clocks"
    kinds = {"the broker's time": "LogAppendTime", "the worker's time": "CreateTime"}
    offsets = {
        "two hours ahead": 2 * HOUR,
        "thirty days behind": -30 * DAY,
        "ten years ahead": 3_650 * DAY,
        "in 1970": -56 * 365 * DAY,
    }
    wrong = [
        Situation(
            name=f"{name}, {stamped}",
            kind=kind,
            reaction=Reaction.HOLD,
            settings={"message.timestamp.type": stamp},
            clock_seconds=seconds,
            reasons=("clock",),
            words=(_CLOCK,),
        )
        for name, seconds in offsets.items()
        for stamped, stamp in kinds.items()
    ]
    jumps = [
        Situation(
            name=f"{name}, all at once",
            kind=kind,
            reaction=Reaction.HOLD,
            later=True,
            clock_seconds=seconds,
            reasons=("clock",),
            words=(_CLOCK,),
        )
        for name, seconds in {"two hours ahead": 2 * HOUR, "thirty days behind": -30 * DAY}.items()
    ]
    late = Situation(
        name="a minute and a half behind", kind=kind, reaction=Reaction.RUN, clock_seconds=-90, words=(_CLOCK,)
    )
    return [*wrong, *jumps, late]


_SHORT: Final = frozenset(
    {
        "records compacted",
        "raw kept for half an hour",
        "dead letters compacted and deleted",
        "records of 400 bytes, later",
        "records in zstd",
        "an open transaction in raw, aborted",
        "an open transaction in records, committed",
        "two hours ahead, the worker's time",
        "thirty days behind, the broker's time",
        "two hours ahead, all at once",
    }
)
