"""The Faust agents: one for each role. An agent passes each round of batches to the role's step, and does nothing else.

The step acknowledges a batch when all of its effects are confirmed, so the agent acknowledges nothing (`noack`). An
agent that raises would acknowledge its event, and the default supervisor would restart it. So an error ends the worker
(`CrashingSupervisor`), and a restart reads everything unsettled again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import faust
from mode.supervisors import CrashingSupervisor

if TYPE_CHECKING:
    from pipeline.stream.step import Step


class BatchSchema(faust.Schema):  # type: ignore[misc] # Faust's classes have no usable types
    """The value is the round that the transport built; there is nothing to decode."""

    def loads_key(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> None:
        """Return no key: each message of the round has its own."""

    def loads_value(self, app: Any, message: Any, *, loads: Any = None, serializer: Any = None) -> Any:
        """Return the round."""
        del app, loads, serializer
        return message.value


def add_agent(app: faust.App, *, name: str, topic: str, step: Step) -> None:
    """Add the agent that feeds a role's step to an app."""

    async def feed(stream: Any) -> None:
        async for fetched in stream.noack():
            step.accept(*fetched.batches, waited_seconds=fetched.waited_seconds)

    app.agent(app.topic(topic, schema=BatchSchema()), name=name, supervisor_strategy=CrashingSupervisor)(feed)
