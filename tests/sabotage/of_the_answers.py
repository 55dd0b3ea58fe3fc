"""Mistakes in what counts as the answer to a request, and the tests that notice them."""

from __future__ import annotations

from typing import Final

from tests.sabotage.mistake import Sabotage

_GUARD: Final = "unit/delivery/test_guarded_http.py"
OF_THE_ANSWERS: Final = (
    Sabotage(
        name="bytes between the choice of a connection and the request count as its answer",
        file="delivery/guarded_http.py",
        old="if guarded.seems_quiet() or await guarded.is_quiet():",
        new="if guarded.is_connected():",
        tests=(f"{_GUARD}::test_bytes_between_the_choice_of_a_connection_and_the_write_are_no_answer",),
    ),
    Sabotage(
        name="bytes on an idle connection lose its next request",
        file="delivery/guarded_http.py",
        old="if (used := guarded.used) and guarded.seems_quiet():",
        new="if used := guarded.used:",
        tests=(f"{_GUARD}::test_bytes_that_the_loop_has_not_read_replace_the_connection_before_the_request",),
    ),
    Sabotage(
        name="a new connection is not checked before its first request",
        file="delivery/guarded_http.py",
        old="await guarded.settle(self._loop.time() - began)",
        new="pass",
        tests=(f"{_GUARD}::test_bytes_a_moment_after_a_connection_was_opened_are_no_answer",),
    ),
    Sabotage(
        name="an answer counts before the server has received the request",
        file="delivery/guarded_http.py",
        old="return waiting or _unacknowledged_bytes(descriptor)",
        new="return waiting",
        tests=(f"{_GUARD}::test_an_answer_counts_only_when_the_other_side_has_acknowledged_the_whole_request",),
    ),
    Sabotage(
        name="an early answer that accepts counts",
        file="delivery/guarded_http.py",
        old="doubtful = self._early or not (",
        new="doubtful = not (",
        tests=(f"{_GUARD}::test_an_early_answer_on_tls_is_no_acceptance",),
    ),
    Sabotage(
        name="the first of two answers in one read counts",
        file="delivery/guarded_http.py",
        old="doubtful = self._early or not (alone or (not begun and all(map(_is_success, self._answers))))",
        new="doubtful = self._early",
        tests=(f"{_GUARD}::test_an_acceptance_that_may_belong_to_another_request_is_a_lost_connection",),
    ),
    Sabotage(
        name="1xx answers are read without a limit",
        file="delivery/guarded_http.py",
        old="if self._interim > MAX_INTERIM_ANSWERS:",
        new="if self._interim < 0:",
        tests=(f"{_GUARD}::test_an_acceptance_that_may_belong_to_another_request_is_a_lost_connection",),
    ),
    Sabotage(
        name="a 2xx with a broken body is a lost connection",
        file="delivery/guarded_http.py",
        old="        if not self._answers:\n            super().set_exception(exc, cause)",
        new="        if exc is not None:\n            super().set_exception(exc, cause)",
        tests=(f"{_GUARD}::test_a_head_that_accepts_counts_whatever_the_body_is_and_the_connection_is_closed",),
    ),
    Sabotage(
        name="a 2xx with two different body lengths is a lost connection",
        file="delivery/guarded_http.py",
        old='return _LENGTHS.sub(b"", head)',
        new="return head",
        tests=(f"{_GUARD}::test_a_head_that_accepts_counts_whatever_the_body_is_and_the_connection_is_closed",),
    ),
    Sabotage(
        name="a slow body is read until the request's timeout",
        file="delivery/answer_body.py",
        old="async with asyncio.timeout(seconds):",
        new="async with asyncio.timeout(None):",
        tests=("unit/delivery/test_answer_body.py::test_a_body_is_read_to_a_bound_and_a_deadline",),
    ),
    Sabotage(
        name="the body of an answer that may belong to another request counts",
        file="delivery/guarded_http.py",
        old="self.uncertain = guarded.uncertain",
        new="self.uncertain = False",
        tests=(f"{_GUARD}::test_the_body_of_a_refusal_that_may_belong_to_another_request_is_not_whole",),
    ),
    Sabotage(
        name="a compressed body that was cut counts as whole",
        file="delivery/answer_body.py",
        old="complete = decompressor.eof and not decompressor.unused_data and len(read) <= max_bytes",
        new="complete = len(read) <= max_bytes",
        tests=(
            "unit/delivery/test_answer_body.py"
            "::test_a_body_is_unpacked_to_a_bound_and_is_whole_only_if_nothing_of_it_is_missing",
        ),
    ),
    Sabotage(
        name="a record that an answer names as too large lowers the limit",
        file="delivery/dissection.py",
        old="if any(verdict.reason is DeliveryRejectReason.TOO_LARGE for verdict in refused):",
        new="if refused and not refused:",
        tests=(
            "unit/delivery/test_dissection.py"
            "::test_a_record_that_an_answer_names_as_too_large_explains_the_refusals_before_it",
        ),
    ),
)
