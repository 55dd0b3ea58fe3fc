"""Mistakes in writing to Kafka, in how a group starts, and in the state."""

from __future__ import annotations

from typing import Final

from tests.sabotage.mistake import Sabotage

PRODUCER: Final = (
    Sabotage(
        name="a producer that is not idempotent",
        file="kafka/producer.py",
        old="enable_idempotence=True",
        new="enable_idempotence=False",
        tests=("unit/kafka/test_producer.py::test_every_write_is_idempotent_and_confirmed_by_all_replicas",),
    ),
    Sabotage(
        name="the leader alone confirms a write",
        file="kafka/producer.py",
        old='acks="all"',
        new="acks=1",
        tests=("unit/kafka/test_producer.py::test_every_write_is_idempotent_and_confirmed_by_all_replicas",),
    ),
    Sabotage(
        name="two writes to a partition are under way at once",
        file="kafka/producer.py",
        old="async with self._turns[target]:",
        new="async with asyncio.Lock():",
        tests=(
            "unit/kafka/test_producer.py::test_one_write_at_a_time_goes_to_a_partition_and_partitions_are_written_side_by_side",
        ),
    ),
    Sabotage(
        name="a run is handed over while a write to its partition is under way",
        file="kafka/producer.py",
        old="if self._turns[topic, partition].locked() or",
        new="if",
        tests=("unit/kafka/test_producer.py::test_nothing_is_handed_over_to_a_partition_that_is_being_written",),
    ),
    Sabotage(
        name="a run is handed over to a connection that is being closed",
        file="kafka/producer.py",
        old=" or self._renewal.locked():",
        new=":",
        tests=("unit/kafka/test_producer.py::test_nothing_is_handed_over_while_the_connection_is_renewed",),
    ),
    Sabotage(
        name="only the first batch of a run that is handed over is sent",
        file="kafka/producer.py",
        old="if _fill(batch, messages, 0, len(messages)) < len(messages):",
        new="if _fill(batch, messages, 0, len(messages)) < 0:",
        tests=("unit/kafka/test_producer.py::test_more_than_one_batch_holds_is_not_handed_over[400-1300]",),
    ),
    Sabotage(
        name="only the first batch of a run that is written is sent",
        file="kafka/producer.py",
        old="written = end",
        new="written = len(messages)",
        tests=("unit/kafka/test_producer.py::test_more_than_a_batch_holds_is_split_and_stays_in_order",),
    ),
    Sabotage(
        name="what was handed over is sent twice",
        file="kafka/producer.py",
        old="if handed is None:",
        new="if True:",
        tests=("unit/kafka/test_producer.py::test_what_was_handed_over_and_failed_is_written_again",),
    ),
    Sabotage(
        name="a connection is renewed by every write that saw it fail",
        file="kafka/producer.py",
        old="async with self._renewal:",
        new="async with asyncio.Lock():",
        tests=("unit/kafka/test_producer.py::test_a_connection_is_renewed_once_however_many_writes_saw_it_fail",),
    ),
    Sabotage(
        name="a write that failed counts as confirmed",
        file="kafka/producer.py",
        old="            confirmation.result()\n",
        new="            pass\n",
        tests=(
            "unit/kafka/test_producer.py::test_a_failed_write_is_repeated_on_a_new_connection_before_any_later_one",
        ),
    ),
    Sabotage(
        name="a dead letter loses its source offset",
        file="kafka/letter_headers.py",
        old='(headers.SOURCE_OFFSET, b"%d" % message.offset),',
        new="",
        tests=(
            "unit/kafka/test_dead_letters.py::test_a_dead_letter_keeps_the_key_and_the_bytes_and_tells_why_and_where_from",
        ),
    ),
    Sabotage(
        name="a message loses its key, its time and its headers",
        file="kafka/producer.py",
        old="append(relative_offset, message.timestamp_ms, message.key, message.value, message.headers)",
        new="append(relative_offset, None, None, message.value, [])",
        tests=("unit/kafka/test_producer.py::test_a_message_is_written_with_its_key_its_time_and_its_headers",),
    ),
    Sabotage(
        name="the messages of a later batch continue the numbers of the first",
        file="kafka/producer.py",
        old="relative_offset = index - start",
        new="relative_offset = index",
        tests=("unit/kafka/test_producer.py::test_more_than_a_batch_holds_is_split_and_stays_in_order",),
    ),
    Sabotage(
        name="a write that is not confirmed in time is not counted as repeated",
        file="kafka/producer.py",
        old="                self._mark_retrying(topic, partition)\n                if producer is not",
        new="                if producer is not",
        tests=(
            "unit/kafka/test_producer.py::test_a_write_that_is_not_confirmed_in_time_counts_as_repeated_and_is_not_sent_twice",
        ),
    ),
    Sabotage(
        name="the failure of an abandoned write is reported as never retrieved",
        file="kafka/producer.py",
        old="confirmation.cancel()",
        new="pass",
        tests=("unit/kafka/test_producer.py::test_nobody_has_to_look_at_the_end_of_a_write_that_was_given_up",),
    ),
    Sabotage(
        name="a stop leaves abandoned connections open",
        file="kafka/producer.py",
        old="retirement.cancel()",
        new="pass",
        tests=("unit/kafka/test_producer.py::test_after_a_stop_nothing_can_be_written_and_no_connection_is_left",),
    ),
    Sabotage(
        name="a stop leaves the producer open",
        file="kafka/producer.py",
        old="producer, self._producer = self._producer, None",
        new="producer = self._producer",
        tests=("unit/kafka/test_producer.py::test_after_a_stop_nothing_can_be_written_and_no_connection_is_left",),
    ),
    Sabotage(
        name="reconnecting has no pause",
        file="kafka/producer.py",
        old="await asyncio.sleep(self._retry_seconds)",
        new="pass",
        tests=(
            "unit/kafka/test_producer.py::test_connecting_again_and_a_message_that_is_refused_alone_are_tried_with_pauses",
        ),
    ),
    Sabotage(
        name="a message that is refused alone is sent again without a pause",
        file="kafka/producer.py",
        old="await asyncio.sleep(self._refused_retry_seconds)",
        new="pass",
        tests=(
            "unit/kafka/test_producer.py::test_connecting_again_and_a_message_that_is_refused_alone_are_tried_with_pauses",
        ),
    ),
)

REFUSALS: Final = (
    Sabotage(
        name="a write that a broker refuses permanently causes no hold",
        file="kafka/producer.py",
        old="self._refused[topic, partition] = refusal",
        new="pass",
        tests=(
            "unit/kafka/test_refusals.py::test_a_write_that_is_refused_is_held_and_said_once_until_it_goes_through",
        ),
    ),
    Sabotage(
        name="a message without a key in a compacted topic is an unknown error",
        file="kafka/refusals.py",
        old="known.setdefault(kind.errno, kind)",
        new="pass",
        tests=("unit/kafka/test_refusals.py::test_refusals_that_aiokafka_does_not_know_are_told_apart",),
    ),
    Sabotage(
        name="a broker that refuses a new producer causes no hold",
        file="kafka/producer.py",
        old="if (refusal := find_refusal(error, topic)) is None:",
        new="if (refusal := None) is None:",
        tests=(
            "unit/kafka/test_refusals.py::test_a_new_producer_that_is_refused_is_held_and_said_once_until_there_is_one",
        ),
    ),
    Sabotage(
        name="connections to a registry are kept open",
        file="kafka/schema_registry.py",
        old='headers["Connection"] = "close"',
        new='headers["Connection"] = "keep-alive"',
        tests=(
            "unit/kafka/test_schema_registry.py::test_an_answer_that_nobody_asked_for_is_not_the_schema_of_another_id",
        ),
    ),
)

ADDRESSES: Final = (
    Sabotage(
        name="an impossible address ends a client",
        file="kafka/addresses.py",
        old="except (ValueError, OverflowError) as error:",
        new="except ZeroDivisionError as error:",
        tests=("unit/kafka/test_addresses.py::test_a_broker_whose_address_nothing_can_have_cannot_be_reached",),
    ),
)

TOPIC_SETTINGS: Final = (
    Sabotage(
        name="a topic with cleanup.policy compact,delete is accepted",
        file="kafka/topic_settings.py",
        old='if kind.holds_messages and "compact" in policy:',
        new='if kind.holds_messages and policy == "compact":',
        tests=("unit/kafka/test_topic_settings.py::test_all_faults_of_a_topic_are_listed_at_once",),
    ),
    Sabotage(
        name="wrong topic settings stop no worker",
        file="kafka/topics.py",
        old="*(fault.text for fault in setting_faults(found, topics_of(uses))),",
        new="",
        tests=(
            "unit/kafka/test_topic_settings.py::test_a_setting_that_loses_messages_or_takes_none_is_a_fault_of_every_topic_that_has_it",
        ),
    ),
    Sabotage(
        name="records get the time of the worker",
        file="kafka/topic_plans.py",
        old="TopicKind.RECORDS: {**_DELETED, **_STORED},",
        new="TopicKind.RECORDS: _DELETED,",
        tests=(
            "unit/kafka/test_topic_settings.py::test_brokers_give_the_time_to_what_workers_write_and_to_nothing_else",
        ),
    ),
    Sabotage(
        name="a topic whose settings begin to lose messages is still written to",
        file="kafka/settings_watch.py",
        old="return self.complaint if any(",
        new="return None if any(",
        tests=(
            "unit/kafka/test_settings_watch.py::test_a_topic_that_is_written_holds_when_it_begins_to_lose_messages_until_it_does_no_more",
        ),
    ),
)

CLOCK: Final = (
    Sabotage(
        name="a clock that is behind counts as right",
        file="kafka/broker_clock.py",
        old="elif self._reason is None:\n",
        new="elif self._reason is None and difference > 0:\n",
        tests=("unit/kafka/test_broker_clock.py::test_a_clock_that_jumps_while_nothing_is_written_is_noticed_at_once",),
    ),
    Sabotage(
        name="network latency counts as a wrong clock",
        file="kafka/broker_clock.py",
        old="self._reports[broker] = _Report(broker_seconds - answered_at, broker_seconds - asked_at, answered_at)",
        new="self._reports[broker] = _Report(broker_seconds - answered_at, broker_seconds - answered_at, answered_at)",
        tests=("unit/kafka/test_broker_clock.py::test_a_difference_that_the_way_to_the_broker_may_explain_is_none",),
    ),
    Sabotage(
        name="a clock that was right once is not compared with later answers of brokers",
        file="kafka/broker_clock.py",
        old="            self._found_right = math.nan\n            self._warn_of_brokers()\n",
        new="            self._warn_of_brokers()\n",
        tests=("unit/kafka/test_broker_clock.py::test_a_clock_that_was_right_is_compared_with_new_reports",),
    ),
    Sabotage(
        name="one broker with a wrong clock stops the workers",
        file="kafka/broker_clock.py",
        old="return min(differences, key=abs, default=None)",
        new="return max(differences, key=abs, default=None)",
        tests=(
            "unit/kafka/test_broker_clock.py"
            "::test_one_broker_of_several_whose_clock_is_wrong_is_a_warning_and_holds_nobody",
        ),
    ),
    Sabotage(
        name="a hold lasts until the next check though its cause is gone",
        file="kafka/topic_watch.py",
        old="            if self.complaint is not None:\n                return\n",
        new="",
        tests=(
            "unit/kafka/test_topic_watch.py"
            "::test_while_something_is_wrong_a_watch_looks_soon_again_whatever_its_interval",
        ),
    ),
    Sabotage(
        name="a broker that left the cluster is reported for ever",
        file="kafka/connection_watch.py",
        old="        if brokers:\n",
        new="        if False:\n",
        tests=("unit/kafka/test_connection_watch.py::test_a_broker_that_left_the_cluster_holds_nothing_any_more",),
    ),
    Sabotage(
        name="a time set by a worker counts as the broker's",
        file="kafka/broker_clock.py",
        old=" and stored.timestamp_type == _BROKER_GAVE_THE_TIME:",
        new=":",
        tests=("unit/kafka/test_broker_clock.py::test_a_confirmed_write_tells_the_time_where_the_broker_gave_it",),
    ),
    Sabotage(
        name="batches are decided while the clock is wrong",
        file="kafka/conditions.py",
        old="return set() if self._reason() is None else {self.words}",
        new="return set()",
        tests=("unit/kafka/test_conditions.py::test_batches_wait_with_the_reason_until_the_condition_is_met",),
    ),
    Sabotage(
        name="a bad certificate causes no hold",
        file="kafka/knocking.py",
        old="return HoldReason.CERTIFICATE",
        new="return None",
        tests=(
            "unit/kafka/test_connection_watch.py::test_a_certificate_of_another_name_is_one_for_which_a_worker_holds",
        ),
    ),
    Sabotage(
        name="a client certificate that a broker does not accept causes no hold",
        file="kafka/knocking.py",
        old=" is not None or refusal_of_ours(error) is not None:",
        new=" is not None:",
        tests=(
            "unit/kafka/test_connection_watch.py"
            "::test_a_certificate_of_ours_that_a_broker_does_not_take_is_one_for_which_a_worker_holds",
        ),
    ),
)

GROUPS: Final = (
    Sabotage(
        name="offsets of a deleted topic of the same name are used",
        file="kafka/groups.py",
        old="return identity is not None and note.startswith(_NOTE) and note != _NOTE + identity.hex()",
        new="return False",
        tests=(
            "unit/kafka/test_groups_begin.py::test_an_offset_that_was_committed_for_a_former_topic_of_the_name_is_not_used",
        ),
    ),
    Sabotage(
        name="the reason against a start is not raised",
        file="kafka/groups.py",
        old="if (objection := find_objection(view, source, start)) is not None:",
        new="if (objection := find_objection(view, source, start)) == '':",
        tests=("unit/kafka/test_groups_begin.py::test_a_processor_that_wrote_before_does_not_begin_again",),
    ),
    Sabotage(
        name="committed start offsets do not name their topic's id",
        file="kafka/groups.py",
        old="note = known.commit_note",
        new='note = ""',
        tests=(
            "unit/kafka/test_groups_begin.py::test_a_first_start_commits_the_start_of_every_partition_in_the_name_of_its_topic",
        ),
    ),
    Sabotage(
        name="partitions with a committed start are started again",
        file="kafka/groups.py",
        old="for number, offset in view.starts.items() if number not in known.begun}",
        new="for number, offset in view.starts.items()}",
        tests=("unit/kafka/test_groups_begin.py::test_only_what_was_not_begun_is_committed",),
    ),
    Sabotage(
        name="a processor that has written before starts again",
        file="kafka/groups.py",
        old="if view.outcome_written:",
        new="if False:",
        tests=("unit/kafka/test_groups.py::test_a_group_that_wrote_records_and_has_no_offsets_was_lost",),
    ),
    Sabotage(
        name="missing offsets between others are not noticed",
        file="kafka/groups.py",
        old="number < newest or view.starts[number] > 0",
        new="False",
        tests=("unit/kafka/test_groups.py::test_an_offset_that_is_missing_between_others_has_vanished",),
    ),
    Sabotage(
        name="offsets whose commit was refused count as started",
        file="kafka/groups.py",
        old="    except CommitFailedError:\n        return known\n",
        new="    except CommitFailedError:\n        pass\n",
        tests=(
            "unit/kafka/test_groups_begin.py::test_a_group_with_members_takes_no_such_commit_and_its_missing_offsets_are_not_begun",
        ),
    ),
)

STATE: Final = (
    Sabotage(
        name="the catalogue is never stored",
        file="state/store.py",
        old="            if learnt:\n",
        new="            if False:\n",
        tests=("unit/state/test_store.py::test_what_messages_said_is_stored_in_the_catalogue",),
    ),
    Sabotage(
        name="marks are never stored",
        file="state/store.py",
        old="runs.append(self._producer.write(self._tracked.topic, partition, messages))",
        new="pass",
        tests=("unit/state/test_store.py::test_marks_are_stored_in_the_partition_of_their_messages",),
    ),
    Sabotage(
        name="marks are stored in another partition",
        file="state/store.py",
        old="self._producer.write(self._tracked.topic, partition, messages)",
        new="self._producer.write(self._tracked.topic, 0, messages)",
        tests=("unit/state/test_store.py::test_marks_are_stored_in_the_partition_of_their_messages",),
    ),
    Sabotage(
        name="storing returns before it is confirmed",
        file="state/store.py",
        old="await asyncio.gather(*runs)",
        new="asyncio.gather(*runs)",
        tests=("unit/state/test_store.py::test_storing_returns_when_everything_is_confirmed",),
    ),
    Sabotage(
        name="state counts as complete without the catalogue",
        file="state/store.py",
        old="return self._catalogue_is_read and partition in self._partitions",
        new="return partition in self._partitions",
        tests=("unit/state/test_store.py::test_no_state_is_complete_before_the_catalogue_is",),
    ),
    Sabotage(
        name="the state of a revoked partition is used again",
        file="state/store.py",
        old="state = self._partitions.pop(number, None)",
        new="state = self._partitions.get(number)",
        tests=("unit/state/test_store.py::test_a_partition_that_comes_back_is_read_back_again",),
    ),
    Sabotage(
        name="changes that were not stored stay in the state",
        file="state/store.py",
        old="state.forget_unstored()",
        new="pass",
        tests=("unit/state/test_store.py::test_what_is_learnt_and_not_stored_is_forgotten_with_its_partition",),
    ),
    Sabotage(
        name="a match across the boundary of two marks counts as a mark",
        file="state/tracked_users.py",
        old="while at % MARK_BYTES and at > 0:",
        new="while False and at > 0:",
        tests=("unit/state/test_month_of_users.py::test_bytes_that_look_like_a_user_are_none[an offset]",),
    ),
    Sabotage(
        name="a follower that has ended is not noticed",
        file="state/store.py",
        old="self._follower.check()",
        new="pass",
        tests=("unit/state/test_store.py::test_nothing_is_decided_when_what_others_write_is_not_followed_any_more",),
    ),
)

RECORDS: Final = (
    Sabotage(
        name="records of several source partitions are written one after another",
        file="kafka/records.py",
        old="group = self._gathering\n        if group is None:",
        new="group = self._gathering\n        if group is None or group.waiting:",
        tests=("unit/kafka/test_shared_writes.py::test_what_comes_at_the_same_time_is_one_write",),
    ),
    Sabotage(
        name="records of a revoked partition are written with the others",
        file="kafka/records.py",
        old="group.runs = [run for run in group.runs if run is not messages]",
        new="pass",
        tests=("unit/kafka/test_shared_writes.py::test_what_nobody_waits_for_any_more_is_not_written",),
    ),
    Sabotage(
        name="a writer that joins a group which ends is cancelled with it",
        file="kafka/records.py",
        old="            if self._gathering is group:\n                self._gathering = None\n",
        new="",
        tests=("unit/kafka/test_shared_writes.py::test_who_comes_just_when_the_last_of_a_group_leaves_is_written",),
    ),
    Sabotage(
        name="retries of repartitioned records do not count as progress",
        file="kafka/records.py",
        old="partitions = self._under_way.get(source_partition, ())",
        new="partitions: Collection[int] = ()",
        tests=("unit/kafka/test_records.py::test_repartitioning_knows_whose_records_are_written_again",),
    ),
    Sabotage(
        name="a shared write continues without a waiter",
        file="kafka/records.py",
        old="group.task.cancel()\n            await asyncio.wait({group.task})",
        new="pass",
        tests=("unit/kafka/test_shared_writes.py::test_a_write_ends_with_the_last_that_waits_for_it",),
    ),
)

SCHEMA_VERSIONS: Final = (
    Sabotage(
        name="a version counts as readable where the decoder alone accepts it",
        file="tools/schema_versions.py",
        old="if judgement.decoder is None and judgement.checker is None:",
        new="if judgement.decoder is None:",
        tests=(
            "unit/tools/test_schema_versions.py::test_a_union_with_a_type_that_cannot_be_read_has_both_answers",
            "unit/cli/test_schemas.py::test_versions_that_cannot_be_read_are_listed_with_the_reason_and_fail",
        ),
    ),
    Sabotage(
        name="an error of the avro package ends the check of versions",
        file="tools/schema_versions.py",
        old="except Exception as error:  # noqa: BLE001",
        new="except avro.errors.AvroException as error:  # noqa: BLE001",
        tests=("unit/tools/test_schema_versions.py::test_any_text_of_a_registry_gets_two_short_answers",),
    ),
    Sabotage(
        name="soft-deleted versions count as registered",
        file="kafka/schema_registry.py",
        old="deleted=number not in live",
        new="deleted=False",
        tests=(
            "unit/kafka/test_schema_registry.py::test_soft_deleted_versions_are_marked",
            "unit/cli/test_schemas.py::test_soft_deleted_versions_are_listed_and_do_not_fail",
        ),
    ),
    Sabotage(
        name="versions that cannot be read do not fail the check",
        file="cli/schemas.py",
        old="return not report.unreadable",
        new="return True",
        tests=("unit/cli/test_schemas.py::test_versions_that_cannot_be_read_are_listed_with_the_reason_and_fail",),
    ),
)

OF_KAFKA: Final = (
    *PRODUCER,
    *REFUSALS,
    *ADDRESSES,
    *TOPIC_SETTINGS,
    *CLOCK,
    *GROUPS,
    *STATE,
    *RECORDS,
    *SCHEMA_VERSIONS,
)
