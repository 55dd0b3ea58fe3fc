from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import trustme
from structlog.testing import capture_logs

from pipeline.core.hold_reasons import HoldReason
from pipeline.kafka.connection import ConnectionOptions
from pipeline.kafka.connection_watch import ConnectionWatch
from pipeline.kafka.knocking import Refused, knock
from tests.unit.kafka.test_admin import _listening as listening
from tests.unit.kafka.test_admin import _say_nothing as say_nothing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

DAY = timedelta(days=1)
NOW = datetime.now(UTC)


@asynccontextmanager
async def broker(
    authority: trustme.CA, certificate: trustme.LeafCert, *, trusted: bool = True
) -> AsyncIterator[tuple[str, ConnectionOptions]]:
    """A server with a certificate, and the options of a client that trusts its authority."""
    context, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    certificate.configure_cert(context)
    if trusted:
        authority.configure_trust(trusting)
    async with listening(say_nothing, context) as server:
        yield server, ConnectionOptions(bootstrap_servers=server, security_protocol="SSL", ssl_context=trusting)


@pytest.mark.parametrize(
    ("since", "until", "says"),
    [
        (NOW - 2 * DAY, NOW - DAY, ("certificate has expired", "give the broker a new certificate", "clock")),
        (NOW + DAY, NOW + 2 * DAY, ("not yet valid", "correct this machine's clock")),
    ],
)
async def test_a_certificate_out_of_its_time_is_told_from_one_that_is_not_trusted(
    since: datetime, until: datetime, says: tuple[str, ...]
) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", not_before=since, not_after=until)
    async with broker(authority, certificate) as (server, connection):
        refused = await knock(server, connection, timeout_seconds=5)
    assert refused is not None
    assert refused.hold is HoldReason.CERTIFICATE
    assert refused.text.startswith(f"{server}: its certificate is not trusted: ")
    assert all(each in refused.text for each in says)


async def test_a_certificate_of_another_name_is_one_for_which_a_worker_holds() -> None:
    authority = trustme.CA()
    async with broker(authority, authority.issue_cert("another.host")) as (server, connection):
        refused = await knock(server, connection, timeout_seconds=5)
    assert refused is not None
    assert refused.hold is HoldReason.CERTIFICATE
    assert "PIPELINE_KAFKA_SSL_CHECK_HOSTNAME" in refused.text


async def test_a_certificate_whose_authority_is_unknown_is_one_for_which_a_worker_holds() -> None:
    authority = trustme.CA()
    async with broker(authority, authority.issue_cert("127.0.0.1"), trusted=False) as (server, connection):
        refused = await knock(server, connection, timeout_seconds=5)
    assert refused is not None
    assert refused.hold is HoldReason.CERTIFICATE
    assert "PIPELINE_KAFKA_SSL_CA_FILE" in refused.text


def of_ours(authority: trustme.CA, kind: str) -> trustme.LeafCert | None:
    """Return a client's certificate with a fault; None means no certificate."""
    if kind == "none":
        return None
    if kind == "of an unknown authority":
        return trustme.CA().issue_cert("worker")
    return authority.issue_cert("worker", not_before=NOW - 2 * DAY, not_after=NOW - DAY)


@contextmanager
def refusing(context: ssl.SSLContext) -> Iterator[str]:
    """A server that ends one handshake with an alert; asyncio's own would close without one."""
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse() -> None:
        accepted, _ = listener.accept()
        with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as secured:
            with pytest.raises(ssl.SSLError):
                secured.do_handshake()
            while socket.socket.recv(secured, 4096):  # unread bytes at the close would cause a reset before the alert
                pass

    with listener:
        serving = threading.Thread(target=refuse)
        serving.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        serving.join()


TLS_1_2, TLS_1_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3


@pytest.mark.parametrize(
    ("kind", "version", "says"),
    [
        ("none", TLS_1_3, "it requires one"),
        ("expired", TLS_1_2, "it has expired"),
        ("expired", TLS_1_3, "it has expired"),
        ("of an unknown authority", TLS_1_2, "it is from an authority that is not trusted there"),
        ("of an unknown authority", TLS_1_3, "it is from an authority that is not trusted there"),
    ],
)
async def test_a_certificate_of_ours_that_a_broker_does_not_take_is_one_for_which_a_worker_holds(
    kind: str, version: ssl.TLSVersion, says: str
) -> None:
    authority = trustme.CA()
    context, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    authority.configure_trust(trusting)
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = version
    if (ours := of_ours(authority, kind)) is not None:
        ours.configure_cert(trusting)
    with refusing(context) as server:
        connection = ConnectionOptions(bootstrap_servers=server, security_protocol="SSL", ssl_context=trusting)
        refused = await knock(server, connection, timeout_seconds=5)
    assert refused is not None
    assert refused.hold is HoldReason.CERTIFICATE, refused.text
    assert refused.text.startswith(f"{server}: the broker rejects this program's certificate: {says}")
    assert "PIPELINE_KAFKA_SSL_CERTIFICATE_FILE" in refused.text


@pytest.mark.parametrize("server", ["127.0.0.1:1", "[::1]:1"])
async def test_a_broker_that_is_away_is_nothing_that_somebody_has_to_change(server: str) -> None:
    connection = ConnectionOptions(bootstrap_servers=server, security_protocol="PLAINTEXT")
    refused = await knock(server, connection, timeout_seconds=5)
    assert refused is not None
    assert refused.hold is None


class Brokers:
    """Brokers that answer a connection attempt as the test defines."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *settings: str) -> None:
        self.refusals: dict[str, Refused] = {}
        self.asked: list[str] = []
        monkeypatch.setattr("pipeline.kafka.connection_watch.knock", self._knock)
        self.watch = ConnectionWatch(ConnectionOptions(bootstrap_servers=",".join(settings)))

    async def _knock(self, server: str, _connection: ConnectionOptions, *, timeout_seconds: float) -> Refused | None:
        assert timeout_seconds < 15
        self.asked.append(server)
        await asyncio.sleep(0)
        return self.refusals.get(server)


EXPIRED = Refused("b:1: its certificate is not trusted: certificate has expired: renew it.", HoldReason.CERTIFICATE)


async def test_every_broker_gets_its_turn_and_an_answer_is_no_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers(monkeypatch, "a:1", "b:1")
    for _ in range(6):
        await brokers.watch.look(["b:1", "c:1"], silent=False)
    assert sorted(brokers.asked) == ["a:1", "a:1", "b:1", "b:1", "c:1", "c:1"]
    assert brokers.watch.complaint is None
    assert not brokers.watch.holds


async def test_a_broker_that_refuses_is_told_of_until_it_takes_connections_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    brokers = Brokers(monkeypatch, "a:1", "b:1")
    brokers.refusals["b:1"] = EXPIRED
    with capture_logs() as logs:
        await brokers.watch.look([], silent=False)
        await brokers.watch.look([], silent=False)
        told = brokers.watch.complaint
        assert told == EXPIRED.text.removesuffix(".")
        assert brokers.watch.holds == {HoldReason.CERTIFICATE}
        brokers.refusals["b:1"] = Refused("b:1: no answer in time", None)
        await brokers.watch.look([], silent=False)
        assert brokers.watch.holds == {HoldReason.CERTIFICATE}, "an answer that tells nothing changes nothing"
        brokers.refusals.clear()
        await brokers.watch.look([], silent=False)
    assert brokers.watch.complaint is None
    assert not brokers.watch.holds
    assert [line["log_level"] for line in logs] == ["error", "info"]


async def test_where_none_answers_all_are_tried_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers(monkeypatch, "a:1", "b:1")
    await brokers.watch.look(["c:1"], silent=True)
    assert brokers.asked == ["a:1", "b:1", "c:1"]


async def test_a_broker_that_left_the_cluster_holds_nothing_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers(monkeypatch, "a:1")
    brokers.refusals["b:1"] = EXPIRED
    for _ in range(2):
        await brokers.watch.look(["a:1", "b:1"], silent=False)
    assert brokers.watch.holds == {HoldReason.CERTIFICATE}
    await brokers.watch.look([], silent=True)
    assert brokers.watch.holds == {HoldReason.CERTIFICATE}, "while Kafka is away, nobody has left it"
    await brokers.watch.look(["a:1", "c:1"], silent=False)
    assert not brokers.watch.holds
    assert brokers.watch.complaint is None
