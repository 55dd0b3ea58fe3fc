"""The composition root: builds workers and policies out of settings. Nothing else makes clients, stores or workers."""

from __future__ import annotations

from pipeline.bootstrap.files import policy_mistakes, registry_mistakes, schema_mistakes, tls_mistakes
from pipeline.bootstrap.policy import build_policy
from pipeline.bootstrap.segment import segment_options
from pipeline.bootstrap.topics import check_all_topics
from pipeline.bootstrap.worker import run_worker
from pipeline.runtime.supervisor import run_all

__all__ = [
    "build_policy",
    "check_all_topics",
    "policy_mistakes",
    "registry_mistakes",
    "run_all",
    "run_worker",
    "schema_mistakes",
    "segment_options",
    "tls_mistakes",
]
