"""`onesignal-pipeline tracked-users` on a broker: imports count, and move from one cluster to another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from pipeline.bootstrap.destinations.segment import SEGMENT
from pipeline.bootstrap.producer import now_ms
from pipeline.bootstrap.state import open_state
from pipeline.cli.main import ExitCode, run
from pipeline.core.outcomes import StateChange
from pipeline.core.tracking import BEFORE_THE_LOG
from pipeline.kafka.connection import connection_options
from pipeline.kafka.partitioner import partition_for
from pipeline.kafka.producer import BatchProducer
from pipeline.kafka.topics import await_topics
from pipeline.settings import load_settings
from tests.integration.brokers import REMEMBERED
from tests.integration.clients import RawMessage, produce, read_topic

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.brokers import Broker

pytestmark = pytest.mark.usefixtures("logs_put_back")

PARTITIONS = 3
SECRET = "a secret that is long enough"
TOPICS = ("RAW_TOPIC", "RECORDS_TOPIC", "DEAD_LETTER_TOPIC", "TRACKED_USERS_TOPIC", "TRACKED_USERS_FEED_TOPIC")


def environment(broker: Broker, **more: str) -> dict[str, str]:
    """Create the topics of a processor, and return the settings that name them."""
    named = {name: broker.unique(name.lower()) for name in TOPICS}
    for name, topic in named.items():
        broker.create_topic_named(topic, PARTITIONS, **(REMEMBERED if name.startswith("TRACKED") else {}))
    variables = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers, "TRACKED_USERS_SECRET": SECRET, **named, **more}
    found = {f"PIPELINE_{name}": value for name, value in variables.items()}
    asyncio.run(await_topics(connection_options(load_settings(found)), list(named.values())))
    return found


async def tracked(environment: dict[str, str], *users: bytes, mark: bool = False) -> list[int | None]:
    """Return the offsets at which users were first marked this month, as a processor reads them.

    With `mark`, the users are then marked at offset 7.
    """
    settings = load_settings(environment)
    connection = connection_options(settings)
    producer = BatchProducer(connection)
    await producer.start()
    try:
        async with open_state(settings, SEGMENT, connection, producer, None) as store:
            found = []
            for user in users:
                partition = partition_for(user, PARTITIONS)
                await store.restore(partition)
                found.append(store.of(partition).users.marked_at(user, now_ms()))
                if mark:
                    state = store.of(partition)
                    changes = [StateChange(mark=state.users.mark_of(user, now_ms(), 7))]
                    state.remember(changes[0])
                    await store.store(partition, changes)
            return found
    finally:
        await producer.stop()


def test_imported_users_were_tracked_before_the_log_and_are_counted(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = environment(broker)
    file = tmp_path / "users.csv"
    file.write_text("user_id\nu-1\nu-2\nu-1\nJane Doe\n")
    for _ in range(2):
        assert run(["tracked-users", "import", str(file)], found) == ExitCode.DONE
        told = capsys.readouterr()
        assert f"Imported into {found['PIPELINE_TRACKED_USERS_FEED_TOPIC']}: 3 users for the month from 2" in told.out
        assert "Skipped" not in told.err
    assert asyncio.run(tracked(found, b"u-3", b"u-2", mark=True)) == [None, BEFORE_THE_LOG]
    assert asyncio.run(tracked(found, b"u-1", b"Jane Doe", b"u-3", b"u-4")) == [BEFORE_THE_LOG, BEFORE_THE_LOG, 7, None]
    stored = read_topic(broker.bootstrap_servers, found["PIPELINE_TRACKED_USERS_FEED_TOPIC"])
    assert len(stored) == 6
    assert not any(name in (each.key or b"") for each in stored for name in (b"u-", b"Jane")), "no id is in Kafka"
    assert all(each.value == b"" for each in stored), "without a value compaction would delete it"

    assert run(["tracked-users", "stats"], found) == ExitCode.DONE
    header, *rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert header[0] == "partition"
    counts = {" ".join(row[:-1]): row[-1] for row in rows}
    assert counts["all"] == "4"
    assert counts["by feed"] == "2", "u-2 was marked by the log, too"
    assert sum(int(counts[str(number)]) for number in range(PARTITIONS)) == 4


def test_nothing_is_imported_unless_every_line_is_good(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = environment(broker)
    file = tmp_path / "users.csv"
    file.write_text("user_id\nu-1\nanonymous\n")
    assert run(["tracked-users", "import", str(file)], found) == ExitCode.MISTAKE
    told = capsys.readouterr().err
    assert "Line 3: user_id is a placeholder" in told
    assert told.endswith("Nothing was imported.\n")
    assert read_topic(broker.bootstrap_servers, found["PIPELINE_TRACKED_USERS_FEED_TOPIC"]) == []


def test_ids_are_not_imported_where_the_partition_of_their_events_is_not_known(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = environment(broker)
    users = [b"u-%d" % number for number in range(20)]
    elsewhere = [RawMessage(key=user, value=b"{}", partition=(partition_for(user, 3) + 1) % 3) for user in users]
    produce(broker.bootstrap_servers, found["PIPELINE_RAW_TOPIC"], elsewhere)
    file = tmp_path / "users.csv"
    file.write_text("user_id\nu-1\n")
    assert run(["tracked-users", "import", str(file)], found) == ExitCode.FAILED
    assert "nothing was imported: 20 of the latest 20 messages of the raw topic" in capsys.readouterr().err
    assert read_topic(broker.bootstrap_servers, found["PIPELINE_TRACKED_USERS_FEED_TOPIC"]) == []

    asyncio.run(tracked(found, b"u-2", mark=True))
    assert run(["tracked-users", "export"], found) == ExitCode.DONE
    file.write_text(capsys.readouterr().out)
    assert run(["tracked-users", "import", str(file)], found) == ExitCode.DONE, "an export tells the partition"


def test_rows_of_months_long_over_are_left_out_and_said(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = environment(broker)
    file = tmp_path / "users.csv"
    file.write_text("user_id,month\nu-1,2020-01\n")
    assert run(["tracked-users", "import", str(file)], found) == ExitCode.DONE
    told = capsys.readouterr()
    assert "Skipped, because their month is over: 1 line." in told.err
    assert ": no users." in told.out


def test_an_export_is_taken_in_by_another_raw_topic_with_the_same_secret(
    broker: Broker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = environment(broker), environment(broker)
    file = tmp_path / "users.csv"
    file.write_text("user_id\nu-1\n")
    assert run(["tracked-users", "import", str(file)], old) == ExitCode.DONE
    asyncio.run(tracked(old, b"u-2", b"u-3", mark=True))
    capsys.readouterr()

    assert run(["tracked-users", "export"], old) == ExitCode.DONE
    exported = capsys.readouterr()
    assert exported.out.splitlines()[0] == "user_hash,partition,month,partitions,secret"
    assert len(exported.out.splitlines()) == 4
    assert "Exported: 3 users for the month from 2" in exported.err
    file.write_text(exported.out)
    other = {**new, "PIPELINE_TRACKED_USERS_SECRET": "another secret, as long as that"}
    assert run(["tracked-users", "import", str(file)], other) == ExitCode.MISTAKE
    assert "Lines 2-4: user_hash was made with another PIPELINE_TRACKED_USERS_SECRET" in capsys.readouterr().err
    assert run(["tracked-users", "import", str(file)], new) == ExitCode.DONE
    assert asyncio.run(tracked(new, b"u-1", b"u-2", b"u-3", b"u-4")) == [BEFORE_THE_LOG] * 3 + [None]


def test_what_another_secret_wrote_is_neither_exported_nor_counted(
    broker: Broker, capsys: pytest.CaptureFixture[str]
) -> None:
    found = environment(broker)
    asyncio.run(tracked(found, b"u-1", mark=True))
    other = {**found, "PIPELINE_TRACKED_USERS_SECRET": "another secret, as long as that"}
    for command in ("export", "stats"):
        assert run(["tracked-users", command], other) == ExitCode.FAILED
        assert "was written with another PIPELINE_TRACKED_USERS_SECRET" in capsys.readouterr().err


def test_nobody_is_tracked_at_first(broker: Broker, capsys: pytest.CaptureFixture[str]) -> None:
    found = environment(broker)
    assert run(["tracked-users", "stats"], found) == ExitCode.DONE
    assert capsys.readouterr().out == "No users are tracked yet.\n"
    assert run(["tracked-users", "export"], found) == ExitCode.DONE
    assert "Exported: no users." in capsys.readouterr().err
