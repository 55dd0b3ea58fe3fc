"""Read and count traffic until its end."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pipeline.tools.what_if.progress import CountProgress

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from pipeline.core.messages import Message
    from pipeline.output.console import TerminalConsole
    from pipeline.tools.what_if.counting import Count
    from pipeline.tools.what_if.findings import Findings
    from pipeline.tools.what_if.sources import Source


async def _no_schemas(_messages: Sequence[Message]) -> None:
    """Do nothing: the traffic needs no schemas."""


async def count_all(
    source: Source,
    count: Count,
    console: TerminalConsole,
    learn: Callable[[Sequence[Message]], Awaitable[None]] = _no_schemas,
) -> Sequence[Findings]:
    """Count all messages of a source and show the progress on the console.

    `learn` is called with the messages before they are decoded, for example to fetch their schemas.
    """
    with CountProgress(console, source) as progress:
        async for messages in source.batches():
            await learn(messages)
            count.count(messages)
            progress.show(count.read)
            await asyncio.sleep(0)  # the consumer fetches on the same loop
    return count.findings(source.title)
