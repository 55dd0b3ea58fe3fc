"""The ids that messages have by their content. How a destination names a message is its own rule."""

from __future__ import annotations

import hashlib
from typing import Final
from uuid import UUID

_NAMESPACE: Final = UUID("2d1a2f6e-6a0e-5b0c-9a52-0c5f3d3b9e77")
"""The UUIDv5 namespace of message contents. It never changes, because all ids would change with it."""


def content_id(value: bytes) -> str:
    """Return the UUIDv5 of a message's bytes."""
    return uuid_of(_NAMESPACE, value)


def uuid_of(namespace: UUID, value: bytes) -> str:
    """Return the UUIDv5 of bytes in a namespace, in lower case."""
    digest = hashlib.sha1(namespace.bytes + value, usedforsecurity=False).digest()
    return str(UUID(bytes=digest[:16], version=5))
