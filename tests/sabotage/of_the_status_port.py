"""Mistakes in the status port and its limits."""

from __future__ import annotations

from typing import Final

from tests.sabotage.mistake import Sabotage

OF_THE_STATUS_PORT: Final = (
    Sabotage(
        name="the status port accepts any number of connections",
        file="runtime/bounded_port.py",
        old="if len(self._connections) >= self._limits.connections:",
        new="if False:",
        tests=("unit/runtime/test_status_server_limits.py::test_the_newest_connections_stay_open_and_are_answered",),
    ),
    Sabotage(
        name="a connection of the status port may idle for ever",
        file="runtime/bounded_port.py",
        old="call_later(limits.lifetime_seconds, self.end)",
        new="call_later(86_400, self.end)",
        tests=("unit/runtime/test_status_server_limits.py::test_a_client_that_drips_its_headers_is_not_waited_for",),
    ),
    Sabotage(
        name="a scrape under way makes room for idle connections",
        file="runtime/bounded_port.py",
        old="if not connection.is_being_answered)",
        new="if True)",
        tests=(
            "unit/runtime/test_status_server_limits.py::test_a_scrape_under_way_outlives_connections_that_are_only_held_open",
        ),
    ),
    Sabotage(
        name="a warning of the status port is repeated as often as its cause",
        file="runtime/bounded_port.py",
        old="self._next_warnings[event] = now + _WARNING_SECONDS",
        new="pass",
        tests=("unit/runtime/test_status_server_limits.py::test_a_full_port_is_logged_once",),
    ),
    Sabotage(
        name="a lack of file descriptors closes no idle connections",
        file="runtime/bounded_port.py",
        old="self._end_oldest()\n        self._loop.remove_reader(listening)",
        new="self._loop.remove_reader(listening)",
        tests=("unit/runtime/test_status_server_limits.py::test_a_lack_of_descriptors_costs_idle_connections_first",),
    ),
    Sabotage(
        name="a connection of the status port is kept after its answer",
        file="runtime/status_server.py",
        old="response.force_close()",
        new="pass",
        tests=("unit/runtime/test_status_server_limits.py::test_of_requests_that_are_sent_in_advance_one_is_answered",),
    ),
    Sabotage(
        name="requests that are not HTTP are logged as internal errors",
        file="runtime/status_server.py",
        old="if isinstance(exc_info, HttpProcessingError):",
        new="if False:",
        tests=("unit/runtime/test_status_server_limits.py::test_malformed_http_is_a_debug_line",),
    ),
)
