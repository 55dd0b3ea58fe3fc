"""The settings of the workers, and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.chaos.stage import POLL_INTERVAL_SECONDS, REQUEST_TIMEOUT_SECONDS, SESSION_SECONDS
from tests.chaos.traffic import PRESET

if TYPE_CHECKING:
    from tests.chaos.destinations import ChaosDestination

PARTITIONS: Final = 6
MAX_POLL_RECORDS: Final = 200
REQUEST_RECORDS: Final = 250
LANES: Final = 2
REPEATED_PER_DISTURBANCE: Final = LANES * REQUEST_RECORDS + PARTITIONS * MAX_POLL_RECORDS
"""One request per lane, and one batch in hand per partition."""


def environment(kafka_port: int, endpoint: str, destination: ChaosDestination) -> dict[str, str]:
    """Return what a deployment would set for the workers of a destination, with short times."""
    names = destination.names
    processor = {"PROCESSOR_GROUP": names.processor_group, "RECORDS_TOPIC": names.records, "RULES_PRESET": PRESET}
    processor["TRACKED_USERS_TOPIC"] = names.tracked_users
    sink = {
        "SINK_GROUP": names.sink_group,
        "ENDPOINT": endpoint,
        "FLUSH_INTERVAL_SECONDS": "0.1",
        "RETRY_BASE_SECONDS": "0.05",
        "RETRY_MAX_SECONDS": "0.5",
        "RETRY_AFTER_CAP_SECONDS": "1",
        "REQUEST_TIMEOUT_SECONDS": str(REQUEST_TIMEOUT_SECONDS),
        "MAX_BATCH_RECORDS": str(REQUEST_RECORDS),
        "LANES": str(LANES),
    }
    settings = {
        "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{kafka_port}",
        "RAW_TOPIC": names.raw,
        "DEAD_LETTER_TOPIC": names.letters,
        "TRACKED_USERS_SECRET": "a secret of the chaos",
        **{f"{destination.processor_prefix}{name}": value for name, value in processor.items()},
        **{f"{destination.prefix}{name}": value for name, value in sink.items()},
        "HTTP_HOST": "127.0.0.1",
        "SESSION_TIMEOUT_SECONDS": str(SESSION_SECONDS),
        "MAX_POLL_INTERVAL_SECONDS": str(POLL_INTERVAL_SECONDS),
        "MAX_POLL_RECORDS": str(MAX_POLL_RECORDS),
        "MAX_MESSAGES_IN_HAND": "400",
        "COMMIT_INTERVAL_SECONDS": "0.5",
        "REVOKE_TIMEOUT_SECONDS": "1",
        "SHUTDOWN_TIMEOUT_SECONDS": "10",
    }
    return {f"PIPELINE_{name}": value for name, value in settings.items()}
