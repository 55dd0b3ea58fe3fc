"""The options of the Mixpanel sink, and the limits that Mixpanel sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Final

from yarl import URL

from pipeline.delivery.options import DeliveryOptions, OptionMistake
from pipeline.settings.choices import MixpanelRegion
from pipeline.sinks.mixpanel.credentials import (
    project_id_problem,
    project_token_problem,
    service_account_problem,
    service_account_secret_problem,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import SecretStr

MAX_REQUEST_BYTES: Final = 2_000_000
"""Mixpanel's pages name 10 MB before compression, and 2 MiB in the text of a 413
(schemas/SOURCES.md, "Mixpanel import requests"). This is below both."""
MAX_REQUEST_RECORDS: Final = 2_000
"""2,000 events per request."""
MIN_REQUEST_BYTES: Final = 100_000
"""Enough for the largest record and the envelope, with some margin."""

ENDPOINTS: Final[Mapping[MixpanelRegion, str]] = {
    MixpanelRegion.US: "https://api.mixpanel.com/import",
    MixpanelRegion.EU: "https://api-eu.mixpanel.com/import",
    MixpanelRegion.IN: "https://api-in.mixpanel.com/import",
}

_NEITHER: Final = "is not set, and neither is a project token"
_BOTH: Final = "is set together with a project token: keep one of them"
_STRICT: Final = {"strict": "1"}
"""With 0, the default of old clients, invalid events vanish behind a 200."""


@dataclass(frozen=True, kw_only=True)
class MixpanelOptions(DeliveryOptions):
    """How to reach Mixpanel and how to fill requests: with a project token, or with all parts of a service account.

    Raises:
        OptionsError: an option is invalid.
    """

    byte_range: ClassVar = (MIN_REQUEST_BYTES, MAX_REQUEST_BYTES)
    most_records: ClassVar = MAX_REQUEST_RECORDS
    endpoint_example: ClassVar = ENDPOINTS[MixpanelRegion.US]
    added_jitter_seconds: ClassVar = (1.0, 5.0)
    """Mixpanel asks for 2 s, doubled up to 60 s, plus this (schemas/SOURCES.md, "Mixpanel import requests")."""

    project_token: SecretStr | None = None
    service_account: str | None = None
    service_account_secret: SecretStr | None = None
    project_id: str | None = None
    max_batch_bytes: int = MAX_REQUEST_BYTES
    max_batch_records: int = MAX_REQUEST_RECORDS
    request_timeout_seconds: float = 30.0
    gzip: bool = True
    retry_base_seconds: float = 2.0
    max_requests_per_second: float = 0.0
    max_records_per_second: float = 30_000.0

    @property
    def secret(self) -> SecretStr:
        """The project token, or the service account's secret."""
        secret = self.project_token or self.service_account_secret
        if secret is None:
            raise ValueError("credentials are required; the options check that")
        return secret

    @property
    def url(self) -> str:
        """The address with its query. A service account also names its project."""
        project = {} if self.project_id is None else {"project_id": self.project_id}
        return str(URL(self.endpoint).update_query(_STRICT | project))

    def mistakes(self) -> Iterator[OptionMistake]:
        """Yield the mistakes, including those in the credentials."""
        yield from super().mistakes()
        account = {
            "service_account": (self.service_account, service_account_problem),
            "service_account_secret": (_text_of(self.service_account_secret), service_account_secret_problem),
            "project_id": (self.project_id, project_id_problem),
        }
        token = _text_of(self.project_token)
        if token is None:
            problems = {option: _NEITHER if value is None else of(value) for option, (value, of) in account.items()}
        else:
            problems = {option: None if value is None else _BOTH for option, (value, _) in account.items()}
            problems["project_token"] = project_token_problem(token)
        for option, problem in problems.items():
            if problem is not None:
                yield OptionMistake(option=option, problem=problem)


def _text_of(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
