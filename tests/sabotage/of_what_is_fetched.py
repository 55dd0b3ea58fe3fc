"""Mistakes in the checks of brokers' answers before anything of them is used."""

from __future__ import annotations

from typing import Final

from tests.sabotage.mistake import Sabotage

_READING: Final = "unit/kafka/fetched/test_reading.py::"
_UNPACKING: Final = "unit/kafka/fetched/test_unpacking.py::"

OF_WHAT_IS_FETCHED: Final = (
    Sabotage(
        name="a truncated batch at the beginning is skipped",
        file="kafka/fetched/reading.py",
        old="elif not code and data and is_cut_off(data):",
        new="elif False:",
        tests=(f"{_READING}test_an_answer_that_begins_with_half_a_batch_loses_no_offset",),
    ),
    Sabotage(
        name="a batch that a broker cannot read is requested without limit",
        file="kafka/fetched/reading.py",
        old="if code in _BROKER_CANNOT_READ:",
        new="if False:",
        tests=(f"{_READING}test_a_broker_that_cannot_read_its_own_log_is_reported",),
    ),
    Sabotage(
        name="messages are limited only by their number",
        file="kafka/fetched/reading.py",
        old="            if len(found) == max_records or self._left_bytes <= 0:\n",
        new="            if len(found) == max_records:\n",
        tests=(f"{_READING}test_without_a_worker_what_is_given_at_once_is_bounded_over_all_partitions",),
    ),
    Sabotage(
        name="a broker that answers twice for a partition ends the fetching",
        file="kafka/fetched/reading.py",
        old="asked.pop((topic, part[0]), None)",
        new="asked.get((topic, part[0]))",
        tests=(f"{_READING}test_what_a_broker_answers_of_a_partition_a_second_time_is_nothing",),
    ),
    Sabotage(
        name="aiokafka's parsed answer keeps its bytes until garbage collection",
        file="kafka/fetched/reading.py",
        old="            read._records_iterator = read._records = None",
        new="            read._records = None",
        tests=(f"{_READING}test_what_aiokafka_had_made_of_an_answer_does_not_wait_for_the_collector",),
    ),
    Sabotage(
        name="decompressed batches do not release their memory",
        file="kafka/fetched/reading.py",
        old="            self._room.leave(self)\n            self._batches.close()\n",
        new="            self._batches.close()\n",
        tests=(f"{_READING}test_memory_for_unpacked_batches_is_given_back_when_they_are_read_or_forgotten",),
    ),
    Sabotage(
        name="the reported offset to continue at is inside the damaged batch",
        file="kafka/fetched/batches.py",
        old="                return following\n",
        new="                pass\n",
        tests=(f"{_READING}test_what_cannot_be_read_ends_there_and_what_came_before_is_read",),
    ),
    Sabotage(
        name="millions of headers become objects",
        file="kafka/fetched/lenient.py",
        old="                return True\n",
        new="                return False\n",
        tests=(f"{_READING}test_countless_headers_are_not_read_and_stop_nothing",),
    ),
    Sabotage(
        name="a batch of any size is decompressed",
        file="kafka/fetched/unpacking.py",
        old="    if plan.size + plan.beside > most:\n",
        new="    if False:\n",
        tests=(f"{_UNPACKING}test_what_unpacks_to_more_than_is_allowed_is_refused_and_never_allocated",),
    ),
    Sabotage(
        name="memory is allocated before it is asked for",
        file="kafka/fetched/unpacking.py",
        old="        reserve(size + plan.beside)\n",
        new="",
        tests=(f"{_UNPACKING}test_memory_that_is_not_there_is_asked_for_before_it_is_allocated",),
    ),
)
