"""Mistakes in what commands print and write, and in the options that they accept."""

from __future__ import annotations

from typing import Final

from tests.sabotage.mistake import Sabotage

OF_THE_OUTPUT: Final = (
    Sabotage(
        name="a printed line contains control characters",
        file="output/printing.py",
        old='f"{visible(each)}\\n" for each in lines',
        new='f"{each}\\n" for each in lines',
        tests=("unit/output/test_printing.py::test_every_line_is_one_line_whatever_it_holds",),
    ),
    Sabotage(
        name="a name is interpreted as markup",
        file="output/console.py",
        old="markup=False, emoji=False, highlight=False",
        new="highlight=False",
        tests=("unit/output/test_console.py::test_no_text_is_markup",),
    ),
    Sabotage(
        name="tables are printed with control characters",
        file="output/console.py",
        old="if control or _is_drawn(text) else",
        new="if True else",
        tests=("unit/output/test_console.py::test_a_text_that_went_past_words_is_escaped_when_it_is_drawn",),
    ),
    Sabotage(
        name="writing a page on a full disk deletes the earlier page",
        file="output/files.py",
        old="_replace(Path(path).resolve(), content)",
        new="Path(path).write_bytes(content)",
        tests=(
            "unit/output/test_files.py::test_where_the_disk_is_full_the_earlier_file_stays_and_nothing_is_left",
            "unit/cli/test_what_if.py::test_an_earlier_page_survives_a_disk_that_is_full",
        ),
    ),
    Sabotage(
        name="a partly written page is left behind",
        file="output/files.py",
        old="Path(name).unlink(missing_ok=True)",
        new="pass",
        tests=("unit/output/test_files.py::test_an_interruption_leaves_nothing",),
    ),
    Sabotage(
        name="lost output is reported repeatedly",
        file="output/console.py",
        old="self.quiet = True",
        new="pass",
        tests=("unit/output/test_console.py::test_output_that_is_lost_is_told_once",),
    ),
    Sabotage(
        name="events that bill no user make MTUs",
        file="tools/what_if/tally.py",
        old="if kept.plan.is_counted:",
        new="if True:",
        tests=("unit/tools/test_counting.py::test_only_events_that_a_destination_bills_make_billed_users",),
    ),
    Sabotage(
        name="events that a destination cannot use are counted as kept",
        file="tools/what_if/tally.py",
        old="outcome = processed if isinstance(processed, Reject) else outcome",
        new="pass",
        tests=("unit/tools/test_counting.py::test_what_mixpanel_cannot_use_is_rejected_there_alone",),
    ),
    Sabotage(
        name="an event plan is priced by users",
        file="tools/what_if/findings.py",
        old="if unit is Unit.EVENT:",
        new="if False:",
        tests=(
            "unit/tools/test_tables.py::test_two_destinations_stand_next_to_each_other_with_their_own_users_and_prices",
        ),
    ),
    Sabotage(
        name="times before 1970 are accepted for Kafka",
        file="cli/what_if.py",
        old="if seconds < 0:",
        new="if False:",
        tests=("unit/cli/test_what_if.py::test_a_time_that_kafka_cannot_know_is_a_mistake",),
    ),
    Sabotage(
        name="a rate that is not a number is accepted",
        file="cli/traffic.py",
        old="if math.isnan(rate):",
        new="if False:",
        tests=("properties/test_cli_options.py::test_no_hostile_value_of_an_option_ends_in_a_traceback",),
    ),
    Sabotage(
        name="arguments that no system can pass are used",
        file="cli/main.py",
        old="        _check_characters(arguments)",
        new="        pass",
        tests=("properties/test_cli_options.py::test_no_hostile_value_of_an_option_ends_in_a_traceback",),
    ),
    Sabotage(
        name="a JSON log contains characters that change the text direction",
        file="logs.py",
        old="return visible(written)",
        new="return written",
        tests=("unit/test_logs.py::test_no_line_steers_a_terminal",),
    ),
    Sabotage(
        name="a text log contains sequences that clear the screen",
        file="logs.py",
        old="        return visible(value)",
        new="        return value",
        tests=("unit/test_logs.py::test_no_line_steers_a_terminal",),
    ),
    Sabotage(
        name="a page contains characters that hide and reorder text",
        file="tools/what_if/page_parts.py",
        old="escape(visible(str(words)), quote=True)",
        new="escape(str(words), quote=True)",
        tests=("unit/tools/test_page.py::test_no_text_of_a_page_hides_reorders_or_forges_lines",),
    ),
)
