"""Mistakes in the Segment sink: lane, driver, dissection, packing and client."""

from __future__ import annotations

from typing import Final

from tests.sabotage.mistake import Sabotage

LANE: Final = (
    Sabotage(
        name="a hold is not cleared when a request is accepted in part",
        file="delivery/lane.py",
        old="for run in accepted.runs)\n        self._hold = None\n",
        new="for run in accepted.runs)\n",
        tests=("unit/delivery/test_lane.py::test_a_hold_is_over_when_a_part_of_its_request_batch_is_accepted",),
    ),
    Sabotage(
        name="dead letters that were not stored settle their batch",
        file="delivery/lane.py",
        old="self._in_hand.settle((run.source, len(run.records)) for run in accepted.runs)",
        new="self._in_hand.settle("
        "(run.source, len(run.records) + len(run.source.batch.messages)) for run in accepted.runs)",
        tests=("unit/delivery/test_lane.py::test_a_batch_with_a_reject_is_settled_when_the_dead_letter_is_stored",),
    ),
    Sabotage(
        name="a failed request is not sent again",
        file="delivery/lane.py",
        old="                self._rest.unanswered()\n                self._back_off(now + seconds, hold=None)",
        new="                self._rest.accepted()\n                self._back_off(now + seconds, hold=None)",
        tests=("unit/delivery/test_lane.py::test_a_retry_sends_the_same_records_before_anything_else",),
    ),
    Sabotage(
        name="a verdict may be withdrawn after a request without an answer",
        file="delivery/lane.py",
        old="            case Retry(after_seconds=seconds):\n                self._rest.unanswered()\n",
        new="            case Retry(after_seconds=seconds):\n",
        tests=("unit/delivery/test_lane.py::test_a_verdict_is_final_when_a_request_behind_it_may_have_been_accepted",),
    ),
    Sabotage(
        name="batches of a partition that is being revoked are sent",
        file="delivery/lane.py",
        old="if source.partition not in self._leaving:",
        new="if True:",
        tests=(
            "unit/delivery/test_lane.py::test_what_comes_of_a_partition_that_is_leaving_does_not_overtake_what_was_withdrawn",
        ),
    ),
    Sabotage(
        name="messages after an unknown format are sent",
        file="delivery/intake.py",
        old="self._unreadable[source.partition] = seen.unknown_format",
        new="pass",
        tests=("unit/delivery/test_lane.py::test_an_unknown_format_version_stops_its_partition_and_no_other",),
    ),
    Sabotage(
        name="records that wait for their turn count as a stall",
        file="delivery/sink.py",
        old="*(lane.queued for lane in lanes if self._is_busy(lane)),",
        new="",
        tests=(
            "unit/delivery/test_sink.py::test_records_that_wait_for_their_turn_are_not_stuck_and_those_in_flight_are_not_excused",
        ),
    ),
    Sabotage(
        name="a busy lane counts as progress for everything it has in hand",
        file="delivery/lane.py",
        old="if id(source) in waiting}",
        new="}",
        tests=("unit/delivery/test_sink.py::test_a_batch_that_is_in_hand_and_waits_nowhere_is_stuck",),
    ),
    Sabotage(
        name="a hold of one lane counts as progress for all",
        file="delivery/sink.py",
        old="return _is_to_come(self._pace.paused_until) or lane.hold is not None",
        new="return any(each.lane.hold is not None for each in self._drivers) or lane.hold is not None",
        tests=("unit/delivery/test_sink.py::test_a_hold_or_a_retry_of_one_lane_excuses_its_own_partitions_alone",),
    ),
    Sabotage(
        name="lanes ignore a common pause",
        file="delivery/lane.py",
        old="return max(self._due_at, not_before)",
        new="return self._due_at",
        tests=("unit/delivery/test_lane.py::test_nothing_is_sent_before_the_end_of_a_pause",),
    ),
    Sabotage(
        name="messages of a revoked partition stay in the request batch",
        file="delivery/lane.py",
        old="        self._rest.forget(partitions)\n",
        new="",
        tests=(
            "unit/delivery/test_lane.py::test_forgetting_takes_a_partition_out_of_the_request_batch_and_keeps_the_rest_first_in_line",
        ),
    ),
    Sabotage(
        name="queued records of a revoked partition are sent",
        file="delivery/intake.py",
        old="self.backlog.remove(partitions)",
        new="pass",
        tests=("unit/delivery/test_lane.py::test_withdrawing_leaves_the_request_in_flight_alone",),
    ),
    Sabotage(
        name="a refusal applies to the rest of a request batch",
        file="delivery/lane.py",
        old="if self._rest.part.record_count == self._sent.record_count:",
        new="if True:",
        tests=(
            "unit/delivery/test_lane.py::test_a_refusal_says_nothing_about_what_is_left_when_a_partition_was_forgotten_meanwhile",
        ),
    ),
    Sabotage(
        name="dead letters are stored without asking the breaker",
        file="delivery/lane.py",
        old="if self._rest.may_be_stored():",
        new="if self._rest.may_be_stored() or True:",
        tests=("unit/delivery/test_lane.py::test_records_that_fail_our_own_checks_go_through_the_breaker_too",),
    ),
    Sabotage(
        name="an interrupted request counts as never sent",
        file="delivery/lane.py",
        old="        if self._phase is _Phase.SENDING:\n            self._rest.unanswered()\n",
        new="",
        tests=("unit/delivery/test_lane.py::test_a_verdict_is_final_when_a_request_behind_it_may_have_been_accepted",),
    ),
    Sabotage(
        name="a batch is acknowledged when its partition is revoked",
        file="delivery/in_hand.py",
        old="self._finished = [source for source in self._finished if source.partition not in partitions]",
        new="pass",
        tests=("unit/delivery/test_lane.py::test_what_is_settled_and_not_acknowledged_is_forgotten_too",),
    ),
)

DRIVER: Final = (
    Sabotage(
        name="a request of revoked partitions is not cancelled",
        file="delivery/driver.py",
        old="            in_flight.cancel()\n            await",
        new="            await",
        tests=("unit/delivery/test_sink.py::test_revoking_takes_a_request_off_the_wire_when_time_is_up",),
    ),
    Sabotage(
        name="a dead-letter store that fails counts as stored",
        file="delivery/driver.py",
        old="        storing.result()\n",
        new="",
        tests=(
            "unit/delivery/test_sink.py::test_a_fault_of_the_dead_letter_store_ends_the_sink_and_acknowledges_nothing",
        ),
    ),
    Sabotage(
        name="Retry-After pauses only one lane",
        file="delivery/driver.py",
        old="if isinstance(decision, Retry) and decision.everywhere:",
        new="if False:",
        tests=("unit/delivery/test_sink.py::test_retry_after_stops_all_lanes",),
    ),
    Sabotage(
        name="sentAt is that of the first attempt",
        file="delivery/driver.py",
        old="body = self._exchange.body(request_batch.records)",
        new="body = self._exchange.api.build_body("
        "request_batch.records, sent_at=self._exchange.wall_clock() - (started - self._departed_at))",
        tests=(
            "unit/delivery/test_sink.py::test_a_failed_request_is_repeated_with_a_fresh_sent_at_and_the_same_records",
        ),
    ),
    Sabotage(
        name="the destination's answer is logged",
        file="delivery/report.py",
        old="attempts=attempt, answer=answer_name(response))",
        new="attempts=attempt, answer=str(response))",
        tests=("unit/delivery/test_sink.py::test_a_flushed_batch_makes_one_line_without_bodies_ids_or_keys",),
    ),
    Sabotage(
        name="the records of a request are logged",
        file="delivery/driver.py",
        old="            size=len(body),\n            dissecting",
        new="            size=body,\n            dissecting",
        tests=("unit/delivery/test_sink.py::test_a_flushed_batch_makes_one_line_without_bodies_ids_or_keys",),
    ),
    Sabotage(
        name="settled batches are not acknowledged",
        file="delivery/driver.py",
        old="            batch.acknowledge()\n",
        new="            del batch\n",
        tests=("unit/delivery/test_sink.py::test_a_batch_is_acknowledged_after_segment_accepted_it",),
    ),
    Sabotage(
        name="the rate limit is not kept",
        file="delivery/driver.py",
        old="self._pace.departed(records=records, now=started)",
        new="pass",
        tests=("unit/delivery/test_sink.py::test_requests_keep_their_distance",),
    ),
    Sabotage(
        name="a request that must be cancelled keeps running",
        file="delivery/driver.py",
        old="            self._in_flight = None\n            if task.cancel():",
        new="            self._in_flight = None\n            if False:",
        tests=("unit/delivery/test_sink.py::test_a_sink_has_ended_when_its_requests_are_off_the_wire",),
    ),
)

DISSECTION: Final = (
    Sabotage(
        name="the parts of a refused request are sent in the wrong order",
        file="delivery/dissection.py",
        old="self._parts.extendleft(reversed(part.pieces(HALVES if cured_by_less else QUARTERS)))",
        new="self._parts.extendleft(part.pieces(HALVES if cured_by_less else QUARTERS))",
        tests=(
            "unit/delivery/test_dissection.py::test_the_bad_record_stands_alone_and_the_others_are_accepted_in_order",
        ),
    ),
    Sabotage(
        name="a record that was refused together with another is lost",
        file="delivery/dissection.py",
        old="if part.record_count > 1:",
        new="if part.record_count > 2:",
        tests=(
            "unit/delivery/test_dissection.py::test_verdicts_can_be_taken_back_while_nothing_behind_them_is_accepted",
        ),
    ),
    Sabotage(
        name="a final verdict is withdrawn",
        file="delivery/dissection.py",
        old="refused = (verdict.run for verdict in self._verdicts[self._final :])",
        new="refused = (verdict.run for verdict in self._verdicts)",
        tests=("unit/delivery/test_dissection.py::test_a_verdict_is_final_once_something_behind_it_is_accepted",),
    ),
    Sabotage(
        name="withdrawn records are queued after waiting ones",
        file="delivery/dissection.py",
        old="(*refused, *waiting)",
        new="(*waiting, *refused)",
        tests=(
            "unit/delivery/test_dissection.py::test_verdicts_can_be_taken_back_while_nothing_behind_them_is_accepted",
        ),
    ),
    Sabotage(
        name="dead letters are stored in the order of their verdicts",
        file="delivery/dissection.py",
        old="letters=sorted(found, key=lambda letter: letter.message.offset),",
        new="letters=found,",
        tests=("unit/delivery/test_dissection.py::test_dead_letters_of_a_batch_stand_in_the_order_of_their_offsets",),
    ),
    Sabotage(
        name="two request batches use the same permission of the breaker",
        file="delivery/dissection.py",
        old="self._breaker.reserve(dead_letters - self._reserved)",
        new="pass",
        tests=("unit/delivery/test_dissection.py::test_what_one_request_batch_has_reserved_another_may_not_use",),
    ),
    Sabotage(
        name="a verdict on a revoked partition stays",
        file="delivery/dissection.py",
        old="self._verdicts = [each for each, stays in zip(self._verdicts, kept, strict=True) if stays]",
        new="pass",
        tests=("unit/delivery/test_dissection.py::test_what_is_forgotten_gets_no_verdict",),
    ),
)

PACKING: Final = (
    Sabotage(
        name="a request is one byte too large",
        file="delivery/packing.py",
        old="if room < 0:",
        new="if room < -1:",
        tests=("unit/delivery/test_packing.py::test_records_fit_up_to_the_last_byte",),
    ),
    Sabotage(
        name="a request has one record too many",
        file="delivery/packing.py",
        old="most = min(len(records), limits.max_records - used_records)",
        new="most = min(len(records), limits.max_records - used_records + 1)",
        tests=("unit/delivery/test_packing.py::test_no_more_records_fit_than_a_request_may_have",),
    ),
    Sabotage(
        name="the newest run is sent first",
        file="delivery/packing.py",
        old="self._runs.append(run)",
        new="self._runs.appendleft(run)",
        tests=("unit/delivery/test_packing.py::test_a_request_takes_the_oldest_records_and_leaves_the_rest_in_order",),
    ),
    Sabotage(
        name="records that did not fit into a request are lost",
        file="delivery/packing.py",
        old="first, self._runs[0] = run.split(count)",
        new="first, _ = self._runs.popleft().split(count)",
        tests=("unit/delivery/test_packing.py::test_a_request_takes_the_oldest_records_and_leaves_the_rest_in_order",),
    ),
    Sabotage(
        name="records that did not fit into a request are sent twice",
        file="delivery/packing.py",
        old="first, self._runs[0] = run.split(count)",
        new="first, _ = run.split(count)",
        tests=("unit/delivery/test_packing.py::test_a_request_takes_the_oldest_records_and_leaves_the_rest_in_order",),
    ),
    Sabotage(
        name="dead letters are kept in both halves of a run",
        file="delivery/request_batch.py",
        old="                letters=(),\n            ),\n        )\n",
        new="            ),\n        )\n",
        tests=("unit/delivery/test_packing.py::test_dead_letters_travel_with_the_first_part_of_a_run_alone",),
    ),
)

CLIENT: Final = (
    Sabotage(
        name="redirects are followed, with the write key",
        file="delivery/client.py",
        old="allow_redirects=False",
        new="allow_redirects=True",
        tests=(
            "unit/delivery/test_client.py::test_a_request_follows_no_redirect_and_carries_the_credentials_in_its_header_alone",
        ),
    ),
    Sabotage(
        name="the maximum age of a connection is 1000 times as long",
        file="delivery/client.py",
        old="CONNECTION_AGE_SECONDS: Final = 12 * 3600.0",
        new="CONNECTION_AGE_SECONDS: Final = 12 * 3600.0 * 1000",
        tests=(
            "unit/delivery/test_client.py::test_a_connection_is_kept_for_less_than_a_day_and_its_name_is_resolved_again_then",
        ),
    ),
    Sabotage(
        name="a connection is kept after a server error",
        file="delivery/client.py",
        old="response.status >= HTTPStatus.INTERNAL_SERVER_ERROR",
        new="response.status > HTTPStatus.INTERNAL_SERVER_ERROR",
        tests=(
            "unit/delivery/test_client.py::test_the_name_is_resolved_again_after_a_server_error_and_where_no_answer_came",
        ),
    ),
    Sabotage(
        name="a write key that was rotated is not used",
        file="sinks/segment/api.py",
        old="self._write_key = write_key or (lambda: options.write_key)",
        new="self._write_key = lambda: options.write_key",
        tests=("unit/sinks/segment/test_api.py::test_the_key_of_the_moment_is_used",),
    ),
    Sabotage(
        name="a request without an answer counts as accepted",
        file="delivery/client.py",
        old="response = response or unanswered(error)",
        new="response = Answered(status=200, body=str(error).encode())",
        tests=("unit/delivery/test_client.py::test_a_request_without_an_answer_logs_nothing_and_says_why",),
    ),
    Sabotage(
        name="the secret is logged when it changes",
        file="delivery/secret_file.py",
        old='logger.info("secret changed", secret=self._words)',
        new='logger.info("secret changed", secret=text)',
        tests=("unit/delivery/test_secret_file.py::test_a_swapped_link_brings_the_new_key",),
    ),
    Sabotage(
        name="any 2xx but 200 is sent again",
        file="sinks/segment/answers.py",
        old="if is_success(status):",
        new="if status == HTTPStatus.OK:",
        tests=("unit/sinks/segment/test_answers.py::test_a_2xx_is_done",),
    ),
    Sabotage(
        name="a 400 that quotes a record with the words write key holds everything",
        file="delivery/error_text.py",
        old='_QUOTED.sub(" ", text[:_MAX_CHARACTERS])',
        new="text",
        tests=("unit/sinks/segment/test_answers.py::test_what_an_answer_quotes_is_not_its_error",),
    ),
    Sabotage(
        name="an untrusted certificate is retried like a temporary fault",
        file="delivery/decisions.py",
        old="if response.certificate is None:",
        new="if response is not None:",
        tests=(
            "unit/delivery/test_sink.py::test_a_certificate_that_cannot_be_trusted_holds_until_it_can",
            "unit/sinks/segment/test_answers.py::test_a_certificate_that_cannot_be_trusted_holds_and_is_tried_again_slowly",
        ),
    ),
    Sabotage(
        name="a login page with status 200 is not reported",
        file="delivery/report.py",
        old="self._doubts.judged(doubt)",
        new="pass",
        tests=("unit/delivery/test_sink.py::test_a_doubtful_answer_is_accepted_counted_and_logged_once",),
    ),
)

MEMORY: Final = (
    Sabotage(
        name="everything in hand is decoded on arrival",
        file="delivery/intake.py",
        old="while self._unexamined and not self.backlog.fills_a_request:",
        new="while self._unexamined:",
        tests=(
            "unit/delivery/test_lane.py::test_what_no_request_needs_yet_is_not_decoded_however_long_segment_is_away",
        ),
    ),
    Sabotage(
        name="unchecked records of a revoked partition are sent",
        file="delivery/intake.py",
        old="self._unexamined = deque(source for source in self._unexamined if source.partition not in partitions)",
        new="pass",
        tests=("unit/delivery/test_lane.py::test_what_waits_unchecked_of_a_partition_that_was_given_up_is_not_sent",),
    ),
    Sabotage(
        name="a lane drops unchecked records when a request is sent",
        file="delivery/intake.py",
        old="        taken = self.backlog.take()\n        self._fill()\n",
        new="        taken = self.backlog.take()\n",
        tests=("unit/delivery/test_lane.py::test_what_waits_unchecked_leaves_in_its_turn",),
    ),
    Sabotage(
        name="headers of any size are accepted",
        file="kafka/fetched/messages.py",
        old="kept = _kept(headers) if headers else ()\n",
        new="kept = tuple(headers) if headers else ()\n",
        tests=(
            "unit/stream/test_fetched_ahead.py::test_a_message_in_hand_takes_no_more_memory_with_headers_than_without",
        ),
    ),
)

SUMMARY: Final = (
    Sabotage(
        name="a summary is written whenever something is counted",
        file="metrics/summary.py",
        old="max(0.0, wait)",
        new="0.0",
        tests=("unit/metrics/test_summary.py::test_a_summary_is_written_at_once_and_then_at_most_every_ten_seconds",),
    ),
    Sabotage(
        name="repeated requests are in the summary when one is accepted, not before",
        file="delivery/report.py",
        old="            self._summary.count(repeated=1)\n",
        new="            pass\n",
        tests=("unit/delivery/test_sink.py::test_the_summary_counts_what_happens_while_segment_is_down",),
    ),
)

OF_THE_SINK: Final = (*LANE, *DRIVER, *DISSECTION, *PACKING, *CLIENT, *MEMORY, *SUMMARY)
