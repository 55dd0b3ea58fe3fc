"""What is wrong with a cluster, in words for an operator.

ClusterFaultError
├── KafkaUnreachableError   no broker could be spoken to: what each of them answered and what to check
└── TopicsError             topics cannot be used or made as they are: every fault at once
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class ClusterFaultError(Exception):
    """The cluster cannot be used as it is; the text says why and what to do."""


class KafkaUnreachableError(ClusterFaultError):
    """No broker could be spoken to."""


class TopicsError(ClusterFaultError):
    """The topics cannot be used or made as they are; `faults` lists every reason."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(faults))
