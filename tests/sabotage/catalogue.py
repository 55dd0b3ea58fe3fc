"""Every mistake that is applied."""

from __future__ import annotations

from typing import Final

from tests.sabotage.of_kafka import OF_KAFKA
from tests.sabotage.of_mixpanel import OF_MIXPANEL
from tests.sabotage.of_the_answers import OF_THE_ANSWERS
from tests.sabotage.of_the_output import OF_THE_OUTPUT
from tests.sabotage.of_the_sink import OF_THE_SINK
from tests.sabotage.of_the_status_port import OF_THE_STATUS_PORT
from tests.sabotage.of_the_stream import OF_THE_STREAM
from tests.sabotage.of_what_is_fetched import OF_WHAT_IS_FETCHED

SABOTAGES: Final = (
    *OF_THE_STREAM,
    *OF_KAFKA,
    *OF_THE_SINK,
    *OF_THE_ANSWERS,
    *OF_MIXPANEL,
    *OF_THE_OUTPUT,
    *OF_THE_STATUS_PORT,
    *OF_WHAT_IS_FETCHED,
)
