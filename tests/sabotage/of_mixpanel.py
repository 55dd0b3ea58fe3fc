"""Mistakes in what Mixpanel's answers mean and in what is sent to it, and the tests that notice them."""

from __future__ import annotations

from typing import Final

from tests.sabotage.mistake import Sabotage

_ANSWERS: Final = "unit/sinks/mixpanel/test_answers.py"
OF_MIXPANEL: Final = (
    Sabotage(
        name="a 200 with a smaller number counts as accepted",
        file="sinks/mixpanel/answers.py",
        old="if imported != attempt.sent_records:",
        new="if imported > attempt.sent_records:",
        tests=(f"{_ANSWERS}::test_trap_1_another_number_than_was_sent_leaves_the_result_unknown",),
    ),
    Sabotage(
        name="imported and refused records need not add up",
        file="sinks/mixpanel/answers.py",
        old="if imported + len({row.index for row in report.rows}) != attempt.sent_records:",
        new="if False:",
        tests=(f"{_ANSWERS}::test_trap_1_numbers_that_do_not_add_up_leave_the_result_unknown",),
    ),
    Sabotage(
        name="two rows for one record count as two refused records",
        file="sinks/mixpanel/answers.py",
        old="len({row.index for row in report.rows})",
        new="len(report.rows)",
        tests=(f"{_ANSWERS}::test_two_rows_for_one_record_are_one_refusal_and_the_first_row_counts",),
    ),
    Sabotage(
        name="a refused record is not the one with the index of the row",
        file="sinks/mixpanel/answers.py",
        old="RefusedRecord(index=index, reason",
        new="RefusedRecord(index=0, reason",
        tests=(f"{_ANSWERS}::test_trap_2_records_are_matched_by_position_and_never_by_insert_id",),
    ),
    Sabotage(
        name="true counts as the index 1",
        file="sinks/mixpanel/answers.py",
        old="if type(index) is not int or",
        new="if not isinstance(index, int) or",
        tests=(f"{_ANSWERS}::test_a_row_without_a_valid_index_leaves_the_result_unknown",),
    ),
    Sabotage(
        name="a 400 for the whole request is not dissected",
        file="sinks/mixpanel/answers.py",
        old="if imported == 0 and report.is_empty:",
        new="if False:",
        tests=(
            f"{_ANSWERS}::test_trap_3_a_400_with_texts_imported_nothing_and_is_dissected",
            f"{_ANSWERS}::test_a_400_without_a_list_of_records_is_dissected",
        ),
    ),
    Sabotage(
        name="a 400 that imported some records is dissected, and sends them again",
        file="sinks/mixpanel/answers.py",
        old="if imported == 0 and report.is_empty:",
        new="if report.is_empty:",
        tests=(f"{_ANSWERS}::test_trap_1_numbers_that_do_not_add_up_leave_the_result_unknown",),
    ),
    Sabotage(
        name="an answer that was cut off is believed",
        file="sinks/mixpanel/answers.py",
        old="if not answer.whole:",
        new="if False:",
        tests=(f"{_ANSWERS}::test_a_cut_answer_leaves_the_result_unknown",),
    ),
    Sabotage(
        name="the message, which may quote a value, is stored",
        file="sinks/mixpanel/answers.py",
        old='row.get("index"), row.get("field")',
        new='row.get("index"), row.get("message")',
        tests=(f"{_ANSWERS}::test_the_field_alone_is_kept_and_the_message_is_not",),
    ),
    Sabotage(
        name="invalid events vanish behind a 200",
        file="sinks/mixpanel/options.py",
        old='{"strict": "1"}',
        new='{"strict": "0"}',
        tests=("unit/sinks/mixpanel/test_options.py::test_a_token_needs_no_project_and_the_check_is_strict",),
    ),
    Sabotage(
        name="unclear answers never hold",
        file="delivery/decisions.py",
        old="if attempt.unclear_before + 1 < UNCLEAR_IN_A_ROW:",
        new="if True:",
        tests=("unit/delivery/test_decisions.py::test_the_third_unclear_answer_in_a_row_holds",),
    ),
    Sabotage(
        name="unclear answers to an earlier request count against the next",
        file="delivery/lane.py",
        old="self._attempt = self._unclear = 0",
        new="self._attempt = 0",
        tests=(
            "unit/delivery/test_unclear_answers.py::test_the_answers_to_a_request_that_was_forgotten_do_not_count_against_the_next",
        ),
    ),
    Sabotage(
        name="events of the far future are sent",
        file="delivery/examination.py",
        old="elif seen > latest_time:",
        new="elif False:",
        tests=(
            "unit/delivery/test_examination.py::test_an_event_later_than_the_latest_time_is_rejected_and_one_at_that_time_is_not",
        ),
    ),
)
