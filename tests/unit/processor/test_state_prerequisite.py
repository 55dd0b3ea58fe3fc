from __future__ import annotations

from typing import Any

import pytest

from pipeline.kafka.errors import KafkaUnreachableError, UnreadableTopicError
from pipeline.kafka.prerequisites import PrerequisiteAwayError
from pipeline.processor import state_prerequisite


class BrokenStore:
    """StateStore that cannot be read back."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def restore(self, _partition: int) -> None:
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        KafkaUnreachableError("Kafka is away"),
        UnreadableTopicError(("onesignal.tracked-users", 1), "its checksum is wrong"),
    ],
)
async def test_what_cannot_be_read_back_is_a_hold_that_says_why(error: Exception) -> None:
    state: Any = BrokenStore(error)
    with pytest.raises(PrerequisiteAwayError, match=str(error)):
        await state_prerequisite.StatePrerequisite(state).obtain(1)
