"""For any value of a setting, the program reports a mistake or starts to use it; it never crashes, and shows no key."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Final

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.bootstrap import build_policy, policy_mistakes, schema_mistakes, tls_mistakes
from pipeline.bootstrap.destinations.table import DESTINATIONS
from pipeline.bootstrap.registry import open_registry
from pipeline.bootstrap.state import user_hasher
from pipeline.cli.main import ExitCode, run
from pipeline.kafka.connection import connection_options
from pipeline.kafka.errors import ClusterFaultError
from pipeline.settings import Requirement, SettingsError, load_settings
from pipeline.settings.environment import secret_file_variable
from pipeline.settings.expectations import secrets
from pipeline.settings.mistakes import variable
from pipeline.settings.presentation import effective_settings
from pipeline.settings.sections import FIELDS

if TYPE_CHECKING:
    from pathlib import Path

KEY: Final = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----\n"
NASTY: Final = (
    KEY,
    KEY.replace("\n", " "),
    KEY.replace("\n", "\\n"),
    "x" * 200_000,
    "/" + "n" * 300,
    "/n" * 3_000,
    "\udcff\udcfe",
    "/mnt/\udcff",
    "\ud800",
    "a\0b",
    "/a\0b",
    "\x1b[2J",
    "\x07",
    "\u202eabc",
    "\u2028",
    "\ufeff",
    "[red]",
    "[/]",
    "[/red]",
    "[link=x]",
    "nan",
    "NaN",
    "inf",
    "-inf",
    "1e999",
    "-1e999",
    "-1",
    "-0.0",
    "0x10",
    "1_0",
    "9" * 5_000,
    "1" + "0" * 400,
    "\uff11",
    "٣",
    "½",
    "1e-400",
    "true\nfalse",
    "..",
    "a..b",
    "a..b:9092",
    ".:9092",
    "[::1:9092",
    "[::1%eth0]:9092",
    "\u00fc" * 100 + ":9092",
    "xn--a:9092",
    f"{'a.' * 200}b:9092",
    "https://a..b/c",
    "https://" + "a" * 300 + "/c",
    "https://[::1/c",
    "https://[v1.x]/c",
    "https://a:b@c/d",
    "https://a:99999/c",
    "https://a:-1/c",
    "https://a:\u00b2/c",
    "https://\u2100/c",
    "https://xn--/c",
    "https://%00/c",
    "https://a/%zz",
    "https://a\\b/c",
    "//a/b",
    "rules:\n- then: drop",
    "{a: b}",
    "%s%d{0}{field}",
    "$(id)",
    "'; --",
    "/dev/zero",
    "/dev/tty",
    "/proc/self/mem",
    "/proc/self/environ",
    "/proc/self/fd/0",
    "/",
    "~",
    ",,,",
    "a,\u200b,b",
)
USABLE: Final = {
    "kafka_bootstrap_servers": "127.0.0.1:9092",
    "segment_write_key": "k" * 32,
    "mixpanel_project_token": "t" * 32,
    "schema_registry_url": "http://127.0.0.1:8081",
    "schema_registry_username": "user",
    "schema_registry_password": "password",
}
SASL: Final = {
    "kafka_security_protocol": "SASL_PLAINTEXT",
    "kafka_sasl_username": "user",
    "kafka_sasl_password": "password",
}
SERVICE_ACCOUNT: Final = {
    "mixpanel_project_token": "",
    "mixpanel_service_account": "user",
    "mixpanel_service_account_secret": "secret",
    "mixpanel_project_id": "1",
}
RELATED: Final = {
    "kafka_sasl_username": SASL,
    "kafka_sasl_password": SASL,
    "kafka_ssl_ca_file": {"kafka_security_protocol": "SSL"},
    "names_file": {"name_profile": "custom"},
    "raw_schema_file": {"raw_format": "avro"},
    "mixpanel_tracked_users_feed_topic": {"tracked_users_secret": "s" * 20},
    "mixpanel_service_account": SERVICE_ACCOUNT,
    "mixpanel_service_account_secret": SERVICE_ACCOUNT,
    "mixpanel_project_id": SERVICE_ACCOUNT,
    "tracked_users_feed_topic": {"tracked_users_secret": "s" * 20},
}
CHECKS: Final = (tls_mistakes, policy_mistakes, schema_mistakes)


def environment(**values: str) -> dict[str, str]:
    return {variable(field): value for field, value in (USABLE | values).items()}


def use(variables: dict[str, str]) -> str:
    """Return all output about the settings, which are used as far as no network is needed."""
    try:
        loaded = load_settings(variables, requirements=tuple(Requirement), checks=CHECKS)
    except SettingsError as error:
        return str(error)
    connection_options(loaded)
    for row in DESTINATIONS.values():
        build_policy(loaded, row)
        row.options(loaded)
    user_hasher(loaded)
    return "\n".join(str(line.value) for line in effective_settings(loaded))


@pytest.mark.parametrize("field", FIELDS)
def test_a_nasty_value_is_a_mistake_or_usable(field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    related = {name: each for name, each in RELATED.get(field, {}).items() if name != field}
    for value in NASTY:
        output = use(environment(**related, **{field: value}))
        assert "MIIEvQIBADANBg" not in output
        output.encode()
        assert len(output) < 20_000
        assert all(line.isprintable() for line in output.split("\n"))


@pytest.mark.parametrize("field", [field for field in FIELDS if field.startswith("schema_registry_")])
def test_a_client_of_the_registry_can_be_made_or_the_settings_are_a_mistake(field: str) -> None:
    async def make(value: str) -> None:
        async with open_registry(load_settings(environment(**{field: value}))):
            pass

    for value in NASTY:
        with contextlib.suppress(SettingsError, ClusterFaultError):
            asyncio.run(make(value))


@pytest.mark.parametrize("field", ["kafka_ssl_certificate_file", "kafka_ssl_key_file", "kafka_ssl_key_password"])
def test_a_nasty_value_with_good_certificates_is_a_mistake_or_usable(field: str, tmp_path: Path) -> None:
    good = certificates(tmp_path)
    assert "kafka_ssl" not in use(environment(**good)).lower()
    for value in NASTY:
        output = use(environment(**{**good, field: value}))
        assert "MIIEvQIBADANBg" not in output
        assert all(line.isprintable() for line in output.split("\n"))


def certificates(folder: Path) -> dict[str, str]:
    issued = trustme.CA().issue_cert("client.example")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    issued.cert_chain_pems[0].write_to_path(str(folder / "certificate.pem"))
    return {
        "kafka_security_protocol": "SSL",
        "kafka_ssl_certificate_file": str(folder / "certificate.pem"),
        "kafka_ssl_key_file": str(folder / "key.pem"),
    }


@pytest.mark.parametrize("field", secrets())
def test_nasty_bytes_in_the_file_of_a_secret_are_a_mistake_or_usable(field: str, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    related = {name: each for name, each in RELATED.get(field, {}).items() if name != field}
    others = {name: value for name, value in environment(**related).items() if name != variable(field)}
    for value in NASTY:
        path.write_bytes(value.encode("utf-8", "surrogatepass"))
        assert "MIIEvQIBADANBg" not in use(others | {secret_file_variable(field): str(path)})


TEXTS: Final = st.text(max_size=60) | st.text(alphabet="0123456789.eE+-_:/@[]%, \udcff\x1b\u202e\n", max_size=40)


@pytest.mark.usefixtures("logs_put_back")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.dictionaries(st.sampled_from(FIELDS), TEXTS, max_size=4))
def test_any_values_of_any_settings_are_a_mistake_or_usable(values: dict[str, str]) -> None:
    use(environment(**values))
    assert run(["settings"], environment(**values)) in {ExitCode.DONE, ExitCode.MISTAKE}
