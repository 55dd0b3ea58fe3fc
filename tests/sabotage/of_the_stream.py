"""Mistakes in the stream: ledger, transport, fetching, app, processor and worker."""

from __future__ import annotations

from typing import Final

from tests.sabotage.mistake import Sabotage

LEDGER: Final = (
    Sabotage(
        name="commits pass a batch that is not acknowledged",
        file="stream/ledger.py",
        old="while batches and batches[0].acknowledged:",
        new="while batches:",
        tests=("unit/stream/test_ledger.py::test_nothing_may_be_committed_while_the_first_batch_is_unacknowledged",),
    ),
    Sabotage(
        name="the last message of every batch is read again after a restart",
        file="stream/ledger.py",
        old="return self.messages[-1].offset + 1",
        new="return self.messages[-1].offset",
        tests=(
            "unit/stream/test_ledger.py::test_an_acknowledged_batch_may_be_committed_to_the_offset_after_its_last_message",
        ),
    ),
    Sabotage(
        name="the read position counts as settled while batches are in hand",
        file="stream/ledger.py",
        old="if not batches and assignment.read_to > settled and assignment.held:",
        new="if assignment.read_to > settled and assignment.held:",
        tests=("unit/stream/test_ledger.py::test_offsets_read_over_wait_for_a_batch_in_hand",),
    ),
    Sabotage(
        name="a first position is not committed",
        file="stream/ledger.py",
        old="self.stored_to = position.offset if position.committed else NEVER_STORED",
        new="self.stored_to = position.offset",
        tests=("unit/stream/test_ledger.py::test_a_first_position_is_committed_as_it_is",),
    ),
    Sabotage(
        name="a first position is not reported",
        file="stream/ledger.py",
        old="if any(not position.committed for position in positions.values()):",
        new="if False:",
        tests=("unit/stream/test_ledger.py::test_a_first_position_is_committed_as_it_is",),
    ),
    Sabotage(
        name="partitions of an earlier assignment are still committed",
        file="stream/ledger.py",
        old="self.revoke(tuple(self._assignments))",
        new="pass",
        tests=("unit/stream/test_ledger.py::test_an_assignment_ends_the_one_before_it",),
    ),
    Sabotage(
        name="a batch in hand is counted with no bytes",
        file="stream/ledger.py",
        old="if self._size < 0:",
        new="if self._size < -1:",
        tests=("unit/stream/test_ledger.py::test_bytes_count_as_in_hand_until_their_messages_are_settled_in_order",),
    ),
    Sabotage(
        name="a commit that is confirmed late undoes a later one",
        file="stream/ledger.py",
        old="if assignment.held and offset > assignment.stored_to:",
        new="if assignment.held:",
        tests=("unit/stream/test_ledger.py::test_an_older_commit_that_is_confirmed_late_takes_nothing_back",),
    ),
)

TRANSPORT: Final = (
    Sabotage(
        name="`abandon_commit` is never called",
        file="stream/transport.py",
        old="self._thread.abandon_commit()",
        new="pass",
        tests=("unit/stream/test_transport.py::test_a_revocation_does_not_wait_longer_than_its_bound_for_a_commit",),
    ),
    Sabotage(
        name="what was fetched before a rebalance is delivered after it",
        file="stream/transport.py",
        old="if fetched.epoch != self._live_epoch:",
        new="if self._live_epoch is None:",
        tests=("unit/stream/test_transport.py::test_records_fetched_before_a_repositioning_are_thrown_away",),
    ),
    Sabotage(
        name="positions that were requested before a revocation are used",
        file="stream/transport.py",
        old="if self._revocations != revocations:",
        new="if False:",
        tests=("unit/stream/test_transport.py::test_a_repositioning_that_ends_after_a_revocation_counts_for_nothing",),
    ),
    Sabotage(
        name="a partition whose offset is gone is read from its start",
        file="stream/transport.py",
        old="if vanished:",
        new="if False:",
        tests=(
            "unit/stream/test_transport.py::test_a_partition_that_was_begun_and_has_no_offset_any_more_is_not_read",
        ),
    ),
    Sabotage(
        name="two commits are under way at once",
        file="stream/transport.py",
        old="async with self._commit_lock:",
        new="async with asyncio.Lock():",
        tests=(
            "unit/stream/test_transport.py::test_commits_follow_one_another_and_each_stores_what_is_settled_at_its_time",
        ),
    ),
    Sabotage(
        name="a commit that failed counts as stored",
        file="stream/transport.py",
        old="            if stored:\n",
        new="            if stored or True:\n",
        tests=("unit/stream/test_transport.py::test_a_refused_commit_is_not_counted_and_is_made_again",),
    ),
    Sabotage(
        name="a failed commit is not repeated",
        file="stream/transport.py",
        old="self.loop.call_later(self.options.commit_interval_seconds, self._settled.set)",
        new="pass",
        tests=(
            "unit/stream/test_transport.py::test_a_commit_that_failed_is_made_again_after_a_while_though_nothing_more_is_settled",
        ),
    ),
    Sabotage(
        name="partitions are revoked without letting the step settle",
        file="stream/transport.py",
        old="await self.options.before_revoke(partitions)",
        new="pass",
        tests=("unit/stream/test_transport.py::test_a_revocation_settles_then_commits_the_prefix_then_lets_go",),
    ),
    Sabotage(
        name="partitions are revoked without a commit",
        file="stream/transport.py",
        old="await asyncio.wait_for(self.commit(), left)",
        new="del left",
        tests=("unit/stream/test_transport.py::test_a_revocation_settles_then_commits_the_prefix_then_lets_go",),
    ),
    Sabotage(
        name="an error in a revocation goes unnoticed",
        file="stream/transport.py",
        old="await self.crash(error)",
        new="del error",
        tests=("unit/stream/test_transport.py::test_a_commit_refused_for_good_in_a_revocation_crashes_the_worker",),
    ),
    Sabotage(
        name="only messages bound what is in hand, not bytes",
        file="stream/transport.py",
        old="and ledger.bytes_of(partition) < options.max_bytes_in_hand",
        new="",
        tests=("unit/stream/test_transport.py::test_a_partition_with_enough_bytes_in_hand_is_not_fetched_either",),
    ),
    Sabotage(
        name="a worker with a partition that cannot be read is restarted",
        file="stream/watching.py",
        old="        *consumer.unreadable.on_purpose,\n",
        new="",
        tests=(
            "unit/stream/test_worker_status.py::test_a_partition_that_cannot_be_read_is_a_hold_with_its_cause_and_stuck_is_it_not",
        ),
    ),
    Sabotage(
        name="a message of any size is fetched",
        file="stream/fetched_ahead.py",
        old="if bytes_of_one > most_of_one:",
        new="if bytes_of_one > 1 << 62:",
        tests=(
            "unit/stream/test_fetched_ahead.py::test_a_message_that_is_larger_than_all_that_may_be_in_hand_is_not_taken",
        ),
    ),
    Sabotage(
        name="any number of bytes is fetched at once",
        file="stream/fetched_ahead.py",
        old=" or size >= self._most_bytes:",
        new=":",
        tests=(
            "unit/stream/test_fetched_ahead.py::test_no_more_bytes_are_taken_at_once_than_a_fetch_has_whatever_they_were_packed_into",
        ),
    ),
    Sabotage(
        name="a partition that cannot be read is fetched all the time",
        file="stream/unreadable.py",
        old="            consumer.pause(aiokafka.TopicPartition(*partition))\n",
        new="",
        tests=(
            "unit/stream/test_fetching_rounds.py::test_a_partition_that_cannot_be_read_is_left_alone_for_a_while_and_read_on_when_it_is_repaired",
        ),
    ),
    Sabotage(
        name="a transaction of long ago hides messages of a partition that is not fetched",
        file="stream/transport.py",
        old="max(ends[0], self._ends.get(partition, 0)), ends[1])",
        new="ends[0], ends[1])",
        tests=(
            "unit/stream/test_transport.py::test_a_transaction_that_has_ended_hides_nothing_of_a_partition_that_is_not_fetched",
        ),
    ),
    Sabotage(
        name="the last record alone decides which offset is committed",
        file="kafka/fetched/reading.py",
        old="if self.next_fetch_offset > self._batches.beyond:",
        new="if self.next_fetch_offset < 0:",
        tests=("unit/kafka/fetched/test_reading.py::test_what_cannot_be_read_ends_there_and_what_came_before_is_read",),
    ),
    Sabotage(
        name="a batch that needs much memory waits while others are read",
        file="kafka/fetched/room.py",
        old="return first is holder or now - self._waits[first].since < PATIENCE_SECONDS",
        new="return True",
        tests=(
            "unit/kafka/fetched/test_room.py::test_a_batch_that_needs_everything_gets_its_turn_although_others_are_always_read",
        ),
    ),
    Sabotage(
        name="skipping a message loses the rest of its batch",
        file="kafka/fetched/reading.py",
        old="self._end_before(fault, next_offset=offset + 1)",
        new="self._end_before(fault, next_offset=self._batches.next_offset())",
        tests=(
            "unit/stream/test_fetched_ahead.py::test_a_message_that_is_larger_than_all_that_may_be_in_hand_is_not_taken",
        ),
    ),
    Sabotage(
        name="the offset after a damaged batch comes from whatever follows it",
        file="kafka/fetched/batches.py",
        old=" and self._is_sound(end, _end(self._data, end)):",
        new=":",
        tests=(
            "unit/kafka/fetched/test_reading.py::test_what_stands_behind_a_batch_of_a_wrong_length_is_no_batch_and_tells_no_offset",
        ),
    ),
    Sabotage(
        name="a partition that could not be read before it was positioned is never fetched again",
        file="stream/unreadable.py",
        old="        for partition in self._holds:\n",
        new="        for partition in ():\n",
        tests=(
            "unit/stream/test_fetching_rounds.py::test_a_partition_that_could_not_be_read_before_it_was_positioned_is_fetched_and_found_again",
        ),
    ),
    Sabotage(
        name="a worker whose commits are refused is restarted",
        file="stream/watching.py",
        old="        *consumer.uncommitted(),\n",
        new="",
        tests=(
            "unit/stream/test_worker_run.py::test_a_partition_that_waits_for_brokers_is_not_stuck_and_excuses_no_other[not_taken]",
        ),
    ),
    Sabotage(
        name="an ended membership counts as progress for what it cannot commit",
        file="stream/commits.py",
        old="self.commits_wait = isinstance(error, TimeoutError)",
        new="self.commits_wait = True",
        tests=(
            "unit/stream/test_fetching.py::test_a_commit_that_the_broker_did_not_confirm_is_not_stored_and_may_wait_for_it[error1-False]",
        ),
    ),
    Sabotage(
        name="messages that are never fetched are not counted as waiting",
        file="stream/transport.py",
        old="max(end or 0, self._ends.get(partition, 0))",
        new="(end or 0)",
        tests=("unit/stream/test_transport.py::test_ends_that_are_asked_for_count_where_fetches_tell_less",),
    ),
    Sabotage(
        name="a processor's holds and retries do not count as progress",
        file="processor/step.py",
        old="partition for partition, queue in self._rounds.queues.items() if self._waits_on_purpose(queue)",
        new="partition for partition in ()",
        tests=("unit/processor/test_processor.py::test_a_hold_and_a_repeated_write_excuse_their_own_partitions_alone",),
    ),
    Sabotage(
        name="a processor's holds and retries count as progress for every partition",
        file="processor/step.py",
        old="partition for partition, queue in self._rounds.queues.items() if self._waits_on_purpose(queue)",
        new="partition for partition in self._rounds.queues",
        tests=("unit/processor/test_processor.py::test_a_hold_and_a_repeated_write_excuse_their_own_partitions_alone",),
    ),
    Sabotage(
        name="a partition that was revoked while its batch was handed over is still written",
        file="processor/rounds.py",
        old="if queue.closed:  # revoked while its records were handed over",
        new="if False:",
        tests=(
            "unit/processor/test_processor.py::test_a_partition_that_is_given_up_while_its_batch_is_handed_over_writes_nothing_more[False]",
        ),
    ),
    Sabotage(
        name="added partitions are read together with the old ones",
        file="stream/transport.py",
        old="return source is None or partition[1] < source.partitions",
        new="return True",
        tests=(
            "unit/stream/test_transport.py::test_partitions_that_were_added_are_left_alone_and_their_start_is_committed",
        ),
    ),
    Sabotage(
        name="messages that were fetched before a revocation of everything are delivered",
        file="stream/transport.py",
        old="        self._live_epoch = None\n        self._revocations += 1\n",
        new="        self._revocations += 1\n",
        tests=("unit/stream/test_transport.py::test_records_fetched_before_everything_was_given_up_are_thrown_away",),
    ),
    Sabotage(
        name="a round is committed batch by batch",
        file="stream/transport.py",
        old="wait = COMMIT_SPACING_SECONDS if self.ledger.messages_in_hand() else next_at - now",
        new="wait = next_at - now",
        tests=(
            "unit/stream/test_transport_commits.py::test_a_round_whose_batches_are_settled_one_after_the_other_is_one_commit",
        ),
    ),
    Sabotage(
        name="a settled round waits for its commit",
        file="stream/transport.py",
        old="wait = COMMIT_SPACING_SECONDS if self.ledger.messages_in_hand() else next_at - now",
        new="wait = COMMIT_SPACING_SECONDS",
        tests=("unit/stream/test_transport_commits.py::test_a_round_that_is_settled_as_a_whole_is_committed_at_once",),
    ),
    Sabotage(
        name="a long round is committed only at its end",
        file="stream/transport.py",
        old="            if wait > 0:\n",
        new="            while wait > 0 and self.ledger.messages_in_hand():\n",
        tests=(
            "unit/stream/test_transport_commits.py::test_what_is_settled_of_a_round_that_takes_longer_is_committed_after_the_spacing",
        ),
    ),
    Sabotage(
        name="commits have no spacing",
        file="stream/transport.py",
        old="next_at = self.loop.time() + COMMIT_SPACING_SECONDS",
        new="next_at = 0.0",
        tests=("unit/stream/test_transport_commits.py::test_rounds_that_follow_one_another_quickly_share_commits",),
    ),
    Sabotage(
        name="settling and the commit of a revocation each get the whole time",
        file="stream/transport.py",
        old="left = max(deadline - self.loop.time(), LAST_COMMIT_SECONDS)",
        new="left = self.options.revoke_timeout_seconds",
        tests=("unit/stream/test_transport.py::test_settling_and_commit_of_a_revocation_have_one_deadline",),
    ),
    Sabotage(
        name="the read position is not reported to the ledger",
        file="stream/transport.py",
        old="self.ledger.read(fetched.positions)",
        new="pass",
        tests=("unit/stream/test_transport.py::test_an_empty_fetch_that_passed_over_markers_settles_them",),
    ),
)

FETCHING: Final = (
    Sabotage(
        name="messages of aborted transactions are read",
        file="stream/fetching.py",
        old='isolation_level="read_committed"',
        new='isolation_level="read_uncommitted"',
        tests=(
            "unit/stream/test_fetching.py::test_the_consumer_reads_what_is_committed_and_neither_commits_nor_resets_by_itself",
        ),
    ),
    Sabotage(
        name="an offset outside the log is reset silently",
        file="stream/fetching.py",
        old='auto_offset_reset="none"',
        new='auto_offset_reset="latest"',
        tests=(
            "unit/stream/test_fetching.py::test_the_consumer_reads_what_is_committed_and_neither_commits_nor_resets_by_itself",
        ),
    ),
    Sabotage(
        name="aiokafka commits by itself",
        file="stream/fetching.py",
        old="enable_auto_commit=False",
        new="enable_auto_commit=True",
        tests=(
            "unit/stream/test_fetching.py::test_the_consumer_reads_what_is_committed_and_neither_commits_nor_resets_by_itself",
        ),
    ),
    Sabotage(
        name="a commit is sent in any generation",
        file="stream/commits.py",
        old="if coordinator.generation != self._generation or coordinator.generation < 0:",
        new="if False:",
        tests=(
            "unit/stream/test_fetching.py::test_a_commit_is_sent_only_in_the_generation_whose_positions_it_continues",
        ),
    ),
    Sabotage(
        name="a commit without a generation is sent",
        file="stream/commits.py",
        old=" or coordinator.generation < 0:",
        new=":",
        tests=(
            "unit/stream/test_fetching.py::test_before_anything_was_positioned_nothing_is_committed_in_a_generation_or_without",
        ),
    ),
    Sabotage(
        name="a committed offset outside the log is sought",
        file="stream/positions.py",
        old="    if lost:\n",
        new="    if False:\n",
        tests=("unit/stream/test_fetching.py::test_a_committed_offset_outside_the_log_is_a_fault",),
    ),
    Sabotage(
        name="an unusable assignment counts as an internal error",
        file="stream/foreign_members.py",
        old="if not _is_usable(assignment, coordinator._subscription.topics):",
        new="if False:",
        tests=(
            "unit/stream/test_foreign_members.py::test_an_assignment_that_cannot_be_used_is_an_error_of_the_group_and_quotes_nothing",
        ),
    ),
    Sabotage(
        name="a commit does not name its topic's id",
        file="stream/commits.py",
        old='note = source.commit_note if source is not None else ""',
        new='note = ""',
        tests=("unit/stream/test_fetching.py::test_every_commit_says_which_topic_it_is_of",),
    ),
    Sabotage(
        name="partitions of others are committed",
        file="stream/commits.py",
        old="if not all(partition in assigned for partition in offsets):",
        new="if not assigned:",
        tests=("unit/stream/test_fetching.py::test_nothing_is_committed_of_partitions_that_are_not_assigned",),
    ),
    Sabotage(
        name="reading starts after the committed offset",
        file="stream/fetching.py",
        old="consumer.seek(aiokafka.TopicPartition(*partition), position.offset)",
        new="consumer.seek(aiokafka.TopicPartition(*partition), position.offset + 1)",
        tests=(
            "unit/stream/test_fetching.py::test_committed_offsets_are_asked_for_at_once_and_one_that_is_missing_is_the_start",
        ),
    ),
    Sabotage(
        name="a repositioning begins no epoch",
        file="stream/fetching.py",
        old="self.epoch += 1",
        new="self.epoch = self.epoch or 1",
        tests=("unit/stream/test_fetching.py::test_each_repositioning_is_an_epoch_and_a_generation_of_its_own",),
    ),
    Sabotage(
        name="an abandoned commit continues",
        file="stream/commits.py",
        old="            storing.cancel()\n",
        new="            pass\n",
        tests=(
            "unit/stream/test_fetching.py::test_a_late_commit_is_repeated_no_more_once_its_partitions_are_given_up",
        ),
    ),
    Sabotage(
        name="messages that have arrived wait for no other broker",
        file="stream/fetching.py",
        old="while (left := self._waits.seconds_left()) > 0:",
        new="while (left := 0.0) > 0:",
        tests=("unit/stream/test_fetching_rounds.py::test_what_has_come_waits_for_the_answers_of_the_other_brokers",),
    ),
    Sabotage(
        name="an answer does not wake the waiting fetch",
        file="stream/fetching.py",
        old="self._answered.set()",
        new="pass",
        tests=("unit/stream/test_fetching_rounds.py::test_what_has_come_waits_for_the_answers_of_the_other_brokers",),
    ),
    Sabotage(
        name="a broker with a backlog waits for more data",
        file="stream/fetching.py",
        old="behind=is_behind(assignment, request)",
        new="behind=False",
        tests=(
            "unit/stream/test_fetching_rounds.py::test_a_broker_collects_only_where_nothing_is_known_to_be_there_that_may_be_read",
        ),
    ),
    Sabotage(
        name="messages of open transactions count as a backlog",
        file="stream/fetch_waits.py",
        old="end = state.highwater if state.lso is None else state.lso",
        new="end = state.highwater",
        tests=(
            "unit/stream/test_fetching_rounds.py::test_a_broker_collects_only_where_nothing_is_known_to_be_there_that_may_be_read[9-0-True]",
        ),
    ),
    Sabotage(
        name="the wait of a request is aiokafka's",
        file="stream/fetching.py",
        old="request._max_wait_ms, request._min_bytes = round(seconds * 1000), COLLECTED_BYTES",
        new="pass",
        tests=(
            "unit/stream/test_fetching_rounds.py::test_a_broker_that_brought_messages_collects_and_no_other_is_told_to",
        ),
    ),
    Sabotage(
        name="a fetch that failed is waited for",
        file="stream/fetching.py",
        old="waits.answered(node_id, brought=brought)",
        new="brought and waits.answered(node_id, brought=brought)",
        tests=("unit/stream/test_fetching_rounds.py::test_a_fetch_that_fails_counts_as_an_answer_without_messages",),
    ),
    Sabotage(
        name="the wait at a broker is not measured",
        file="stream/fetching.py",
        old="waited += self._waits.take_waited() if records else 0.0",
        new="pass",
        tests=("unit/stream/test_fetching_rounds.py::test_what_has_come_waits_for_the_answers_of_the_other_brokers",),
    ),
    Sabotage(
        name="the wait for other brokers is not measured",
        file="stream/fetching.py",
        old="waited += await self._until_round(",
        new="await self._until_round(",
        tests=("unit/stream/test_fetching_rounds.py::test_what_has_come_waits_for_the_answers_of_the_other_brokers",),
    ),
    Sabotage(
        name="an empty fetch is charged with the wait of the next one",
        file="stream/fetching.py",
        old="waited += self._waits.take_waited() if records else 0.0",
        new="waited += self._waits.take_waited()",
        tests=(
            "unit/stream/test_fetching_rounds.py::test_how_long_messages_waited_is_told_with_them_and_not_with_an_empty_fetch_before",
        ),
    ),
    Sabotage(
        name="brokers keep waiting after a repositioning",
        file="stream/fetching.py",
        old="self._waits.forget()",
        new="pass",
        tests=("unit/stream/test_fetching_rounds.py::test_after_a_repositioning_no_broker_collects",),
    ),
    Sabotage(
        name="an empty partition is not fetched again",
        file="stream/fetching.py",
        old="fetcher._notify(fetcher._wait_consume_future)",
        new="pass",
        tests=(
            "unit/stream/test_fetching_rounds.py::test_a_partition_that_was_emptied_beside_a_full_one_is_asked_for_again_at_once",
        ),
    ),
    Sabotage(
        name="the end of a membership is not reported",
        file="stream/fetching.py",
        old="consumer._coordinator.check_errors()",
        new="pass",
        tests=("unit/stream/test_fetching.py::test_what_ends_a_membership_for_good_is_a_fault",),
    ),
    Sabotage(
        name="a commit is sent while another is under way",
        file="stream/commits.py",
        old="        if not ready:\n",
        new="        if False:\n",
        tests=("unit/stream/test_fetching.py::test_a_commit_is_not_sent_beside_one_that_goes_on",),
    ),
)

APP: Final = (
    Sabotage(
        name="an answer is as large as aiokafka allows",
        file="stream/app.py",
        old='"fetch_max_bytes": max(FETCH_ANSWER_BYTES, options.fetch_max_bytes),',
        new="",
        tests=("unit/stream/test_app.py::test_an_answer_is_bounded_and_holds_the_largest_fetch_of_one_partition",),
    ),
    Sabotage(
        name="an answer is smaller than the largest fetch of a partition",
        file="stream/app.py",
        old="max(FETCH_ANSWER_BYTES, options.fetch_max_bytes)",
        new="FETCH_ANSWER_BYTES",
        tests=("unit/stream/test_app.py::test_an_answer_is_bounded_and_holds_the_largest_fetch_of_one_partition",),
    ),
    Sabotage(
        name="a fetch of one partition is not bounded by its setting",
        file="stream/app.py",
        old='"max_partition_fetch_bytes": options.fetch_max_bytes,',
        new="",
        tests=("unit/stream/test_app.py::test_an_answer_is_bounded_and_holds_the_largest_fetch_of_one_partition",),
    ),
    Sabotage(
        name="a silent broker is hardly ever asked",
        file="stream/app.py",
        old="FETCH_WAIT_MS = 500",
        new="FETCH_WAIT_MS = 500_000",
        tests=(
            "unit/stream/test_app.py::test_the_first_message_is_answered_at_once_and_a_silent_broker_twice_a_second",
        ),
    ),
    Sabotage(
        name="a request to join times out before the rebalance",
        file="stream/app.py",
        old="max(_ms(REQUEST_TIMEOUT_SECONDS), rebalance_ms + 5_000)",
        new="_ms(REQUEST_TIMEOUT_SECONDS)",
        tests=("unit/stream/test_app.py::test_a_request_to_join_is_not_given_up_before_the_rebalance_is",),
    ),
)

PROCESSOR: Final = (
    Sabotage(
        name="records name another source offset",
        file="processor/deciding.py",
        old="str(message.offset).encode()",
        new="str(message.offset + 1).encode()",
        tests=("unit/processor/test_deciding.py::test_a_record_says_which_message_it_is_of_and_is_keyed_by_its_user",),
    ),
    Sabotage(
        name="the change of a message is not visible to the next",
        file="processor/deciding.py",
        old="self._view.remember(change)",
        new="pass",
        tests=("unit/processor/test_deciding.py::test_a_message_changes_what_the_next_ones_of_its_batch_meet",),
    ),
    Sabotage(
        name="a batch is acknowledged before it is written",
        file="processor/processor.py",
        old="await asyncio.gather(\n                self._records.store",
        new="turn.batch.acknowledge()\n            await asyncio.gather(\n                self._records.store",
        tests=(
            "unit/processor/test_processor.py::test_a_batch_is_acknowledged_after_its_records_and_its_letters_are_stored",
        ),
    ),
    Sabotage(
        name="records are written together with the state that they depend on",
        file="processor/processor.py",
        old="await self._state.store(number, changes)",
        new="asyncio.ensure_future(self._state.store(number, changes))",
        tests=(
            "unit/processor/test_processor.py::test_what_a_batch_changes_is_confirmed_before_any_record_or_letter_of_it_is_written",
        ),
    ),
    Sabotage(
        name="a failed write of a round counts as confirmed",
        file="processor/turn.py",
        old="return handed.confirmation.exception() is None",
        new="return True",
        tests=("unit/processor/test_processor.py::test_a_write_that_fails_is_gone_on_with_alone",),
    ),
    Sabotage(
        name="dead letters are not stored",
        file="processor/processor.py",
        old="self._dead_letters.store(decided.letters)",
        new="self._dead_letters.store([])",
        tests=(
            "unit/processor/test_processor.py::test_a_batch_is_acknowledged_after_its_records_and_its_letters_are_stored",
        ),
    ),
    Sabotage(
        name="a batch with dead letters is written without asking the breaker",
        file="processor/processor.py",
        old="if decided.letters:",
        new="if False:",
        tests=(
            "unit/processor/test_processor.py::test_a_batch_of_which_too_much_would_be_a_dead_letter_is_held_before_anything_is_written",
        ),
    ),
    Sabotage(
        name="the breaker is not asked",
        file="processor/admission.py",
        old="while not self.breaker.admit(records=tally.received, bad=tally.alarming):",
        new="while False:",
        tests=(
            "unit/processor/test_processor.py::test_a_batch_of_which_too_much_would_be_a_dead_letter_is_held_before_anything_is_written",
        ),
    ),
    Sabotage(
        name="a batch of a revoked partition is acknowledged",
        file="processor/rounds.py",
        old="if turn.is_confirmed and not queue.closed]",
        new="if turn.is_confirmed]",
        tests=(
            "unit/processor/test_processor.py::test_a_batch_whose_write_is_confirmed_while_its_partition_is_given_up_is_not_acknowledged",
        ),
    ),
    Sabotage(
        name="a batch is decided before its prerequisites are available",
        file="processor/processor.py",
        old="if not self.prerequisites.are_met(batch):",
        new="if False:",
        tests=(
            "unit/processor/test_processor.py::test_a_batch_that_needs_what_its_assignment_did_not_tell_is_decided_when_it_is_there",
        ),
    ),
    Sabotage(
        name="a processor that ends continues writing",
        file="processor/step.py",
        old="await self.revoke(tuple(self._rounds.queues), timeout_seconds=0)",
        new="pass",
        tests=(
            "unit/processor/test_processor_end.py::test_a_run_that_is_cancelled_writes_nothing_more_and_waits_for_nothing",
        ),
    ),
    Sabotage(
        name="an error in a round goes unnoticed",
        file="processor/rounds.py",
        old="task.add_done_callback(self._on_end)",
        new="pass",
        tests=("unit/processor/test_processor_end.py::test_a_fault_in_a_round_ends_the_run",),
    ),
    Sabotage(
        name="a partition that was revoked in the middle of a round is decided",
        file="processor/rounds.py",
        old="            if queue.closed:\n",
        new="            if False:\n",
        tests=(
            "unit/processor/test_processor_rounds.py::test_a_partition_that_is_given_up_in_the_middle_of_a_round_is_not_decided_and_the_next_one_is",
        ),
    ),
    Sabotage(
        name="a batch that arrives while its partition is prepared is written twice",
        file="processor/rounds.py",
        old="        queue.busy = True\n        self._go_alone(queue, self._prepare",
        new="        self._go_alone(queue, self._prepare",
        tests=(
            "unit/processor/test_processor_rounds.py::test_a_batch_that_comes_while_its_partition_is_prepared_is_written_once_when_that_is_done",
        ),
    ),
    Sabotage(
        name="a prepared partition never starts",
        file="processor/rounds.py",
        old="        queue.released()\n",
        new="",
        tests=(
            "unit/processor/test_processor_rounds.py::test_a_batch_that_comes_while_its_partition_is_prepared_is_written_once_when_that_is_done",
        ),
    ),
    Sabotage(
        name="the prerequisites of the last batch in hand count as those of the first",
        file="processor/rounds.py",
        old="Turn(queue.waiting[0])",
        new="Turn(queue.waiting[-1])",
        tests=(
            "unit/processor/test_processor_rounds.py::test_the_first_batch_of_a_partition_waits_for_what_it_needs_though_the_ones_behind_it_need_nothing",
        ),
    ),
    Sabotage(
        name="a partition that is written alone ends the round for the others",
        file="processor/rounds.py",
        old="                self._wait_for(queue, turn, confirmations)\n",
        new="                self._wait_for(queue, turn, confirmations)\n                break\n",
        tests=(
            "unit/processor/test_processor_rounds.py::test_the_partitions_behind_one_that_goes_alone_stay_in_the_round",
        ),
    ),
    Sabotage(
        name="a revoked partition continues writing",
        file="processor/partition_queue.py",
        old="if self.task is not None:\n            self.task.cancel()",
        new="if False:\n            self.task.cancel()",
        tests=("unit/processor/test_processor.py::test_a_revocation_gives_up_what_is_being_written_alone",),
    ),
    Sabotage(
        name="two batches of a partition are written at once",
        file="processor/rounds.py",
        old="if queue.waiting and not queue.busy]",
        new="if queue.waiting]",
        tests=("unit/processor/test_processor.py::test_the_batches_of_a_partition_are_written_one_after_the_other",),
    ),
)

WORKER: Final = (
    Sabotage(
        name="no commit at a worker's end",
        file="runtime/shutdown.py",
        old="        while await commit():  # more may be settled during a commit\n            pass\n",
        new="",
        tests=(
            "unit/stream/test_worker_end.py::test_a_worker_that_is_told_to_stop_fetches_no_more_settles_commits_and_leaves",
        ),
    ),
    Sabotage(
        name="what is settled during the last commit is not committed",
        file="runtime/shutdown.py",
        old="        while await commit():  # more may be settled during a commit\n            pass\n",
        new="        await commit()\n",
        tests=("unit/stream/test_worker_end.py::test_what_is_settled_during_the_last_commit_is_committed_too",),
    ),
    Sabotage(
        name="a commit after a lost topic",
        file="stream/worker.py",
        old="if isinstance(self._fault, TopicLostError):",
        new="if False:",
        tests=("unit/stream/test_worker_end.py::test_after_a_topic_was_lost_nothing_is_committed",),
    ),
    Sabotage(
        name="draining after a failure of the step",
        file="stream/worker.py",
        old="settles = self._fault is None and not running.done()",
        new="settles = True",
        tests=(
            "unit/stream/test_worker_end.py::test_after_a_fault_nothing_more_is_sent_and_what_is_settled_is_committed",
        ),
    ),
    Sabotage(
        name="draining after a failure outside the step",
        file="stream/worker.py",
        old="settles = self._fault is None and not running.done()",
        new="settles = not running.done()",
        tests=("unit/stream/test_worker_end.py::test_after_a_fault_beside_the_step_nothing_more_is_sent_either",),
    ),
    Sabotage(
        name="no draining at a worker's end",
        file="stream/worker.py",
        old="deadline_seconds=drain_seconds) if settles else None,",
        new="deadline_seconds=drain_seconds) if False else None,",
        tests=(
            "unit/stream/test_worker_end.py::test_a_worker_that_is_told_to_stop_fetches_no_more_settles_commits_and_leaves",
        ),
    ),
    Sabotage(
        name="fetching continues while a worker ends",
        file="stream/worker.py",
        old="        consumer.stop_flow()\n",
        new="",
        tests=(
            "unit/stream/test_worker_end.py::test_a_worker_that_is_told_to_stop_fetches_no_more_settles_commits_and_leaves",
        ),
    ),
    Sabotage(
        name="a worker does not leave its group when the last commit fails",
        file="runtime/shutdown.py",
        old="    finally:\n        await leave()",
        new="    except ValueError:\n        raise\n    await leave()",
        tests=("unit/stream/test_worker_end.py::test_the_group_is_left_though_the_last_commit_fails",),
    ),
)

EXITS: Final = (
    Sabotage(
        name="a worker ends with 0 after a failure",
        file="stream/worker.py",
        old="return 0 if self._fault is None else 1",
        new="return 0",
        tests=("unit/stream/test_worker_run.py::test_a_fault_ends_a_worker_with_1",),
    ),
    Sabotage(
        name="a worker goes on when Faust has crashed",
        file="stream/watching.py",
        old="if app.crashed or app.should_stop:",
        new="if app.should_stop:",
        tests=("unit/stream/test_worker_run.py::test_an_app_that_crashed_or_stopped_by_itself_is_a_fault",),
    ),
    Sabotage(
        name="a worker ignores signals",
        file="stream/worker.py",
        old="self._signals.listen()\n",
        new="pass\n",
        tests=("unit/stream/test_worker_run.py::test_a_worker_that_is_stopped_ends_with_0_and_closes_its_step",),
    ),
    Sabotage(
        name="the first signal ends a worker at once",
        file="runtime/signals.py",
        old="if self.stop.is_set():\n            os._exit",
        new="if True:\n            os._exit",
        tests=("unit/stream/test_worker_run.py::test_a_worker_that_is_stopped_ends_with_0_and_closes_its_step",),
    ),
    Sabotage(
        name="a worker starts without Faust's compiled modules",
        file="stream/worker.py",
        old="check_environment()\n",
        new="pass\n",
        tests=("unit/stream/test_worker_start.py::test_a_worker_without_fausts_compiled_modules_does_not_start",),
    ),
    Sabotage(
        name="a worker waits without end for a group that cannot be left",
        file="runtime/shutdown.py",
        old="{leaving}, timeout=timeout_seconds",
        new="{leaving}",
        tests=("unit/stream/test_worker_leaving.py::test_a_group_that_cannot_be_left_is_left_behind_after_a_while",),
    ),
    Sabotage(
        name="a worker is ready before it has joined its group",
        file="stream/worker.py",
        old="joined=self._started and not self._app.rebalancing,",
        new="joined=not self._app.rebalancing,",
        tests=("unit/stream/test_worker_run.py::test_a_worker_is_ready_when_it_has_joined_its_group",),
    ),
    Sabotage(
        name="a worker whose partition's leader is away is restarted",
        file="stream/watching.py",
        old="self.progress.excuse(await consumer.without_answer(stuck, BROKER_ANSWER_SECONDS))",
        new="await consumer.without_answer(stuck, BROKER_ANSWER_SECONDS)",
        tests=(
            "unit/stream/test_worker_run.py::test_a_partition_that_waits_for_brokers_is_not_stuck_and_excuses_no_other[away]",
        ),
    ),
    Sabotage(
        name="a coordinator that does not answer is not noticed",
        file="stream/fetching.py",
        old="await consumer.committed(asked)",
        new="pass",
        tests=(
            "unit/stream/test_fetching.py::test_kafka_answers_for_a_partition_where_its_leader_and_the_coordinator_do[answers-hangs-False]",
        ),
    ),
)

FILES: Final = (
    Sabotage(
        name="something other than a regular file is opened and read",
        file="settings/files.py",
        old="if not stat.S_ISREG(found.st_mode):",
        new="if stat.S_ISDIR(found.st_mode):",
        tests=("unit/settings/test_files.py::test_what_is_no_small_file_is_refused_at_once",),
    ),
    Sabotage(
        name="a file that has become a pipe is opened blocking",
        file="settings/files.py",
        old="os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY",
        new="os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY",
        tests=("unit/settings/test_files.py::test_a_file_that_became_a_pipe_since_it_was_looked_at_is_not_waited_for",),
    ),
    Sabotage(
        name="threads that wait for files keep the process from its end",
        file="settings/files.py",
        old='name="file", daemon=True',
        new='name="file", daemon=False',
        tests=("unit/settings/test_files.py::test_of_a_file_that_does_not_answer_one_thread_waits_and_nobody_else",),
    ),
    Sabotage(
        name="a file that grows is read whole",
        file="settings/files.py",
        old="file.read(most_bytes + 1)",
        new="file.read()[: most_bytes]",
        tests=(
            "unit/settings/test_files.py::test_a_file_that_grows_while_it_is_read_is_read_no_further_than_its_limit",
        ),
    ),
    Sabotage(
        name="a file is read again while a read is blocked",
        file="settings/files.py",
        old="return self._calls.setdefault(path, future) is future",
        new="return self._calls.setdefault(path, future) is not None",
        tests=("unit/settings/test_files.py::test_of_a_file_that_does_not_answer_one_thread_waits_and_nobody_else",),
    ),
    Sabotage(
        name="rules are parsed from the later content of their file",
        file="processor/rules_reload.py",
        old="content = contents[path]",
        new="content = path.read_bytes()",
        tests=("unit/processor/test_rules_reload.py::test_a_policy_is_made_of_the_bytes_that_were_looked_at",),
    ),
    Sabotage(
        name="a key instead of a path is shown",
        file="settings/masking.py",
        old="if _PEM in value:",
        new="if _PEM == value:",
        tests=("unit/settings/test_loading.py::test_a_value_that_may_be_a_key_is_shown_nowhere",),
    ),
    Sabotage(
        name="a key with a line break at its end is shown",
        file="settings/masking.py",
        old='return "".join(value.splitlines()) != value',
        new="return len(value.splitlines()) > 1",
        tests=("unit/cli/test_main.py::test_a_key_pasted_in_place_of_an_argument_is_not_shown",),
    ),
    Sabotage(
        name="all values of a rules file are built before they are counted",
        file="core/yaml_document.py",
        old="        if self._left < 0:\n            event",
        new="        if False:\n            event",
        tests=("unit/core/test_rules_file.py::test_a_file_is_read_no_further_than_it_may_have_values",),
    ),
)

OF_THE_STREAM: Final = (*LEDGER, *TRANSPORT, *FETCHING, *APP, *PROCESSOR, *WORKER, *EXITS, *FILES)
