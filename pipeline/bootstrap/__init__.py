"""The composition root: builds workers and policies from the settings. Nothing else makes clients, stores or workers.

`pipeline.bootstrap.roles` has the table of roles.
"""

from __future__ import annotations

from pipeline.bootstrap.destinations.mixpanel import mixpanel_api
from pipeline.bootstrap.destinations.segment import segment_api
from pipeline.bootstrap.destinations.table import DESTINATIONS, in_use, with_credentials
from pipeline.bootstrap.files import (
    policy_mistakes,
    policy_mistakes_of,
    registry_mistakes,
    schema_mistakes,
    tls_mistakes,
)
from pipeline.bootstrap.policy import build_policy
from pipeline.bootstrap.roles import checks_of, requirements_of, roles_of, topic_use, topic_uses
from pipeline.bootstrap.worker import run_all, run_worker

__all__ = [
    "DESTINATIONS",
    "build_policy",
    "checks_of",
    "in_use",
    "mixpanel_api",
    "policy_mistakes",
    "policy_mistakes_of",
    "registry_mistakes",
    "requirements_of",
    "roles_of",
    "run_all",
    "run_worker",
    "schema_mistakes",
    "segment_api",
    "tls_mistakes",
    "topic_use",
    "topic_uses",
    "with_credentials",
]
