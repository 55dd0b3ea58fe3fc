"""When each alert must fire and when it must not: series as promtool reads them, one sample a minute."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_AT: Final = 'namespace="n",release="r",job="j"'
_SINK: Final = f'{_AT},instance="sink"'
_PROCESSOR: Final = f'{_AT},instance="processor"'
_SEGMENT: Final = 'destination="segment"'
_SENDS: Final = f"{_SINK},{_SEGMENT}"
"""Labels of the metrics that only sinks have."""
_DECIDES: Final = f"{_PROCESSOR},{_SEGMENT}"
"""Labels of the metrics that only processors have."""
_AGE: Final = "onesignal_pipeline_sink_event_age_seconds"
_BUILD: Final = "onesignal_pipeline_build_info"
_SINK_IS_UP: Final = (f'{_BUILD}{{{_SENDS},role="segment-sink"}}', "1x60")
_PROCESSOR_IS_UP: Final = (f'{_BUILD}{{{_DECIDES},role="processor"}}', "1x60")
_STARTED: Final = "process_start_time_seconds"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Series, and how long after their start the alert fires or does not. `_` is a missing sample."""

    alert: str
    why: str
    series: tuple[tuple[str, str], ...]
    after: str
    fires: bool

    def at(self, destination: str) -> tuple[tuple[str, str], ...]:
        """Return the series of the same case at another destination than Segment."""
        named = (
            name.replace(_SEGMENT, f'destination="{destination}"').replace("segment-sink", f"{destination}-sink")
            for name, _ in self.series
        )
        return tuple(zip(named, (values for _, values in self.series), strict=True))


def _ages(late: int, *, of: int = 100, minutes: int = 500) -> tuple[tuple[str, str], ...]:
    """Return ages of records per minute, of which some are late."""
    return (
        (f'{_AGE}_bucket{{{_SENDS},le="60.0"}}', f"0+{of - late}x{minutes}"),
        (f"{_AGE}_count{{{_SENDS}}}", f"0+{of}x{minutes}"),
    )


def _late_only_now(minutes_before: int) -> tuple[tuple[str, str], ...]:
    """Return ages of which none are late, and then all for a quarter of an hour."""
    reached = 100 * minutes_before
    return (
        (f'{_AGE}_bucket{{{_SENDS},le="60.0"}}', f"0+100x{minutes_before} {reached}+0x15"),
        (f"{_AGE}_count{{{_SENDS}}}", f"0+100x{minutes_before + 15}"),
    )


def _few_late(within: str, count: str) -> tuple[tuple[str, str], ...]:
    return ((f'{_AGE}_bucket{{{_SENDS},le="60.0"}}', within), (f"{_AGE}_count{{{_SENDS}}}", count))


def _waits(
    *, lag: int, idle: str, holding: int = 0, retrying: str = "0x30", stuck: str = "0x30"
) -> tuple[tuple[str, str], ...]:
    return (
        (f'onesignal_pipeline_consumer_lag_messages{{{_SINK},partition="3"}}', f"{lag}x30"),
        (f"onesignal_pipeline_seconds_since_progress{{{_SINK}}}", idle),
        (f"onesignal_pipeline_stuck_seconds{{{_SINK}}}", stuck),
        (f'onesignal_pipeline_holding{{{_SINK},reason="destination_refuses"}}', f"{holding}x30"),
        (f"onesignal_pipeline_retrying{{{_SINK}}}", retrying),
        (f"onesignal_pipeline_commits_total{{{_SINK}}}", "0x30" if idle.startswith("0+") else "0+9x30"),
        _SINK_IS_UP,
    )


_RESTARTED: Final = tuple(
    (f"{name}{{{_SINK}{labels}}}", " stale ".join([first, *[values] * 4]))
    for name, labels, first, values in (
        ("onesignal_pipeline_consumer_lag_messages", ',partition="3"', "7x6", "7x6"),
        ("onesignal_pipeline_stuck_seconds", "", "0+60x6", "0+60x6"),
        ("onesignal_pipeline_commits_total", "", "0+9x2 18x3", "0x6"),
        ("onesignal_pipeline_holding", ',reason="destination_refuses"', "0x6", "0x6"),
        ("onesignal_pipeline_retrying", "", "0x6", "0x6"),
        (_BUILD, f',{_SEGMENT},role="segment-sink"', "1x6", "1x6"),
    )
)
"""A worker stuck from the second minute on and after each restart. It runs for six minutes and is down for two."""


def _of_retention(seconds: str) -> tuple[tuple[str, str], ...]:
    return (
        (f'onesignal_pipeline_consumer_lag_seconds{{{_PROCESSOR},partition="0"}}', "0x30"),
        (f'onesignal_pipeline_consumer_lag_seconds{{{_PROCESSOR},partition="1"}}', seconds),
        (f"onesignal_pipeline_source_retention_seconds{{{_PROCESSOR}}}", "7200x30"),
        _PROCESSOR_IS_UP,
    )


def _hidden(seconds: str) -> tuple[tuple[str, str], ...]:
    return (
        (f'onesignal_pipeline_hidden_seconds{{{_PROCESSOR},partition="0"}}', "0x60"),
        (f'onesignal_pipeline_hidden_seconds{{{_PROCESSOR},partition="1"}}', seconds),
        (f'onesignal_pipeline_consumer_lag_messages{{{_PROCESSOR},partition="1"}}', "0x60"),
        _PROCESSOR_IS_UP,
    )


def _processor_accounts(received: int) -> tuple[tuple[str, str], ...]:
    kinds = 'channel="push",action="sent",category="delivery"'
    return (
        (f"onesignal_pipeline_events_received_total{{{_DECIDES}}}", f"{received}x30"),
        (f"onesignal_pipeline_events_forwarded_total{{{_DECIDES},{kinds}}}", "60x30"),
        (f'onesignal_pipeline_events_dropped_total{{{_DECIDES},{kinds},reason="rule"}}', "30x30"),
        (f'onesignal_pipeline_events_rejected_total{{{_DECIDES},{kinds},reason="no_user"}}', "5x30"),
        (f"onesignal_pipeline_events_given_back_total{{{_DECIDES}}}", "2x30"),
        (f"onesignal_pipeline_events_in_flight{{{_DECIDES}}}", "3x30"),
    )


def _sink_accounts(in_flight: str) -> tuple[tuple[str, str], ...]:
    name = "onesignal_pipeline_sink_records"
    return (
        (f"{name}_received_total{{{_SENDS}}}", "0+100x30"),
        (f"{name}_accepted_total{{{_SENDS}}}", "0+99x30"),
        (f'{name}_rejected_total{{{_SENDS},reason="refused"}}', "0+1x30"),
        (f"{name}_given_back_total{{{_SENDS}}}", "0x30"),
        (f"{name}_in_flight{{{_SENDS}}}", in_flight),
    )


def _between(*, accepted: int, lag: str) -> tuple[tuple[str, str], ...]:
    return (
        (f'onesignal_pipeline_events_forwarded_total{{{_DECIDES},channel="push"}}', "0+1000x200"),
        *_sink_of(_SINK, accepted=f"0+{accepted}x200", lag=lag, started="0x200"),
    )


def _sink_of(at: str, *, accepted: str, lag: str, started: str) -> tuple[tuple[str, str], ...]:
    return (
        (f"onesignal_pipeline_sink_records_accepted_total{{{at},{_SEGMENT}}}", accepted),
        (f'onesignal_pipeline_sink_records_rejected_total{{{at},{_SEGMENT},reason="refused"}}', "0x200"),
        (f'onesignal_pipeline_consumer_lag_messages{{{at},partition="0"}}', lag),
        (f'{_BUILD}{{{at},{_SEGMENT},role="segment-sink"}}', "1x200"),
        (f"{_STARTED}{{{at}}}", started),
    )


def _sink_replaced(accepted: str) -> tuple[tuple[str, str], ...]:
    """Return a sink that ends after 70 minutes, and one that starts two minutes later and catches up unscraped."""
    return (
        (f'onesignal_pipeline_events_forwarded_total{{{_DECIDES},channel="push"}}', "0+6000x200"),
        (f"{_STARTED}{{{_PROCESSOR}}}", "0x200"),
        *_sink_of(_SINK, accepted="0+6000x69 stale", lag="0x200", started="0x200"),
        *_sink_of(f'{_AT},instance="new"', accepted=f"_x73 {accepted}", lag="0x200", started="_x73 4368x120"),
    )


_SINK_BEGAN_ANEW: Final = (
    (f'onesignal_pipeline_events_forwarded_total{{{_DECIDES},channel="push"}}', "0+6000x200"),
    (f"{_STARTED}{{{_PROCESSOR}}}", "0x200"),
    *_sink_of(_SINK, accepted="0+6000x69 _ 9000+6000x120", lag="0x200", started="0x69 _ 4210x120"),
)
"""A sink whose container restarted in the same Pod after 70 minutes."""

_PROMETHEUS_AWAY: Final = (
    (
        f'onesignal_pipeline_events_forwarded_total{{{_DECIDES},channel="push"}}',
        "9000000+1000x30 _x40 9071000+1000x90",
    ),
    (f"{_STARTED}{{{_PROCESSOR}}}", "-900000x30 _x40 -900000x90"),
    *_sink_of(
        _SINK, accepted="100000+1000x30 _x40 171000+1000x90", lag="0x30 _x40 0x90", started="-10000x30 _x40 -10000x90"
    ),
)
"""Prometheus was down for forty minutes while the workers ran; the sink is younger than the processor."""

_PROMETHEUS_NEW: Final = (
    (f'onesignal_pipeline_events_forwarded_total{{{_DECIDES},channel="push"}}', "_x10 5000+1000x190"),
    (f"{_STARTED}{{{_PROCESSOR}}}", "_x10 300x190"),
    *_sink_of(_SINK, accepted="_x10 900000+1000x190", lag="0x200", started="_x10 -90000x190"),
)
"""Prometheus started five minutes after the processor, which is younger than the sink."""

_PROCESSOR_REPLACED_UNSEEN: Final = (
    (f'onesignal_pipeline_events_forwarded_total{{{_DECIDES},channel="push"}}', "9000000+1000x30"),
    (f"{_STARTED}{{{_PROCESSOR}}}", "-90000x30"),
    (
        f'onesignal_pipeline_events_forwarded_total{{{_AT},instance="new",{_SEGMENT},channel="push"}}',
        "_x70 5000+1000x130",
    ),
    (f'{_STARTED}{{{_AT},instance="new"}}', "_x70 3900x130"),
    *_sink_of(
        _SINK,
        accepted="900000+1000x30 _x39 970000+1000x130",
        lag="0x30 _x39 0x130",
        started="-90000x30 _x39 -90000x130",
    ),
)
"""Prometheus was down for forty minutes, and a new processor started five minutes before it was back."""


def _rejected(share_of_thousand: int) -> tuple[tuple[str, str], ...]:
    return _dead_letters(received="0+1000x60", rejected=f"0+{share_of_thousand}x60", sink_rejected="0+2x60")


def _dead_letters(
    *, received: str = "", rejected: str = "", sink_received: str = "", sink_rejected: str = ""
) -> tuple[tuple[str, str], ...]:
    return tuple(
        (f"onesignal_pipeline_{series}", values)
        for series, values in (
            (f"events_received_total{{{_DECIDES}}}", received),
            (f'events_rejected_total{{{_DECIDES},reason="no_user"}}', rejected),
            (f"sink_records_received_total{{{_SENDS}}}", sink_received),
            (f'sink_records_rejected_total{{{_SENDS},reason="refused"}}', sink_rejected),
        )
        if values
    )


def _of_sink(name: str, values: str, *, labels: str = "", destination: str = "segment") -> tuple[tuple[str, str], ...]:
    """Return a series that every worker has, for a sink, with its `build_info`."""
    at = f'{_AT},instance="{destination}-sink"'
    return (
        (f"onesignal_pipeline_{name}{{{at}{labels}}}", values),
        (f'{_BUILD}{{{at},destination="{destination}",role="{destination}-sink"}}', "1x60"),
    )


def _holding(reason: str, values: str, *, destination: str = "segment") -> tuple[tuple[str, str], ...]:
    return _of_sink("holding", values, labels=f',reason="{reason}"', destination=destination)


def _clock(values: str) -> tuple[tuple[str, str], ...]:
    return _of_sink("clock_difference_seconds", values)


def _memory(used: int) -> tuple[tuple[str, str], ...]:
    return (
        (f"process_resident_memory_bytes{{{_SINK}}}", f"{used}x30"),
        (f"onesignal_pipeline_memory_limit_bytes{{{_SINK}}}", "1000x30"),
        _SINK_IS_UP,
    )


def _worker(at: str, role: str, values: str, started: str) -> tuple[tuple[str, str], ...]:
    return ((f'{_BUILD}{{{at},{_SEGMENT},role="{role}"}}', values), (f"{_STARTED}{{{at}}}", started))


def _workers(sink: str, started: str) -> tuple[tuple[str, str], ...]:
    return (*_worker(_PROCESSOR, "processor", "1x60", "0x60"), *_worker(_SINK, "segment-sink", sink, started))


def _falls_over(name: str, before: str, first_start: int) -> tuple[tuple[str, str], ...]:
    """Return a processor that crashes soon after each start, every six minutes; each run is scraped once."""
    away = " stale _ _ _ _ "
    starts = [str(first_start + 360 * life) for life in range(6)]
    return _worker(
        f'{_AT},instance="{name}"',
        "processor",
        f"1x10 {before}{away.join('1' for _ in starts)}",
        f"0x10 {before}{away.join(starts)}",
    )


def _case(alert: str, why: str, series: tuple[tuple[str, str], ...], after: str, *, fires: bool) -> Case:
    return Case(alert=f"OneSignalPipeline{alert}", why=why, series=series, after=after, fires=fires)


_KEY_REFUSED: Final = f"onesignal_pipeline_sink_credentials_reload_failing{{{_SENDS}}}"
_REFUSED: Final = f"onesignal_pipeline_rules_reload_failing{{{_DECIDES}}}"
_DOUBTFUL: Final = f'onesignal_pipeline_sink_doubtful_answers_total{{{_SENDS},content="page"}}'
_ONE_LATE: Final = _few_late("1000x200", "1000x100 1001x100")
_FALL_OVER: Final = (*_falls_over("p1", "", 660), *_falls_over("p2", "stale _ _ ", 840))

CASES: Final = (
    _case("EventsLateFast", "a fifth is late", _ages(20), "65m", fires=True),
    _case("EventsLateFast", "a tenth is late", _ages(10), "65m", fires=False),
    _case("EventsLateFast", "late for a quarter of an hour after hours", _late_only_now(120), "2h14m", fires=True),
    _case("EventsLateFast", "late for two minutes after hours", _late_only_now(120), "2h2m", fires=False),
    _case("EventsLateSlow", "a tenth is late", _ages(10), "400m", fires=True),
    _case("EventsLateSlow", "one in twenty is late", _ages(5), "400m", fires=False),
    _case("EventsLateFast", "one of one is late", _ONE_LATE, "104m", fires=False),
    _case("EventsLateSlow", "one of one is late", _ONE_LATE, "120m", fires=False),
    _case("EventsLateFast", "eight of eight are late", _few_late("0x120", "0x60 0+1x60"), "68m", fires=False),
    _case("EventsLateFast", "twenty of twenty are late", _few_late("0x120", "0x60 0+1x60"), "80m", fires=True),
    _case("Stuck", "lag, and no progress", _waits(lag=7, idle="0+60x30", stuck="0+60x30"), "11m", fires=True),
    _case(
        "Stuck",
        "one partition, while another holds and a third is tried again",
        _waits(lag=7, idle="0+60x30", holding=1, retrying="1x30", stuck="0+60x30"),
        "11m",
        fires=True,
    ),
    _case("Stuck", "no progress, and no lag", _waits(lag=0, idle="0+60x30"), "29m", fires=False),
    _case("Stuck", "lag, and progress", _waits(lag=7, idle="10x30"), "29m", fires=False),
    _case("Stuck", "it holds, which has its own alert", _waits(lag=7, idle="0+60x30", holding=1), "29m", fires=False),
    _case("Stuck", "the probe restarts it again and again", _RESTARTED, "21m", fires=True),
    _case("Stuck", "Segment is away", _waits(lag=7, idle="0+60x30", retrying="1x30"), "29m", fires=False),
    _case("RetriesFailing", "Segment is away", _waits(lag=7, idle="0+60x30", retrying="1x30"), "12m", fires=True),
    _case("RetriesFailing", "two minutes away", _waits(lag=7, idle="0 60 0x28", retrying="1x30"), "29m", fires=False),
    _case("RetriesFailing", "stuck", _waits(lag=7, idle="0+60x30"), "29m", fires=False),
    _case(
        "RetriesFailing",
        "it holds, which has its own alert",
        _waits(lag=7, idle="0+60x30", holding=1, retrying="1x30"),
        "29m",
        fires=False,
    ),
    _case("LagNearRetention", "one partition is older than half", _of_retention("3700x30"), "6m", fires=True),
    _case("LagNearRetention", "nearly half", _of_retention("3500x30"), "20m", fires=False),
    _case("LagNearRetention", "it was, for a minute", _of_retention("10 3700 10x28"), "8m", fires=False),
    _case("MessagesHidden", "a transaction stays open", _hidden("0+60x60"), "13m", fires=True),
    _case("MessagesHidden", "it is not open for that long", _hidden("0+60x60"), "9m", fires=False),
    _case(
        "MessagesHidden",
        "one ends after nine minutes, another begins",
        _hidden("0+60x9 0+60x9 0+60x9"),
        "25m",
        fires=False,
    ),
    _case("AccountingGap", "one event lacks", _processor_accounts(101), "6m", fires=True),
    _case("AccountingGap", "one event too many", _processor_accounts(99), "6m", fires=True),
    _case("AccountingGap", "it adds up", _processor_accounts(100), "20m", fires=False),
    _case("AccountingGap", "one record lacks", _sink_accounts("-1x30"), "6m", fires=True),
    _case("AccountingGap", "the records add up", _sink_accounts("0x30"), "20m", fires=False),
    _case("AccountingGap", "a tenth does not arrive", _between(accepted=900, lag="0x200"), "2h", fires=True),
    _case("AccountingGap", "a tenth waits", _between(accepted=900, lag="0+100x200"), "2h", fires=False),
    _case("AccountingGap", "all arrives", _between(accepted=1000, lag="5x200"), "2h", fires=False),
    _case("AccountingGap", "more arrives, it was sent again", _between(accepted=1100, lag="5x200"), "2h", fires=False),
    _case(
        "AccountingGap",
        "a new sink caught up before its first scrape",
        _sink_replaced("18000+6000x120"),
        "110m",
        fires=False,
    ),
    _case("AccountingGap", "a new sink loses a twentieth", _sink_replaced("18000+5700x120"), "150m", fires=True),
    _case("AccountingGap", "the sink began anew", _SINK_BEGAN_ANEW, "110m", fires=False),
    _case("AccountingGap", "Prometheus was away an hour ago", _PROMETHEUS_AWAY, "130m", fires=False),
    _case("AccountingGap", "Prometheus is younger than a processor", _PROMETHEUS_NEW, "60m", fires=False),
    _case("AccountingGap", "a processor came unseen", _PROCESSOR_REPLACED_UNSEEN, "122m", fires=False),
    _case("DeadLetters", "three of a hundred", _rejected(28), "35m", fires=True),
    _case("DeadLetters", "half of one of a hundred", _rejected(3), "35m", fires=False),
    _case(
        "DeadLetters",
        "two of a backlog that the sink drains",
        _dead_letters(received="1000x90", rejected="3x90", sink_received="0+10000x90", sink_rejected="0x30 1x5 2x55"),
        "50m",
        fires=False,
    ),
    _case(
        "DeadLetters",
        "some of a backlog that the sink drains while a little comes in",
        _dead_letters(received="0+1x90", rejected="0x90", sink_received="0+10000x90", sink_rejected="0+2x90"),
        "50m",
        fires=False,
    ),
    _case(
        "DeadLetters",
        "two of two",
        _dead_letters(received="10x30 11x5 12x55", rejected="0x30 1x5 2x55", sink_rejected="0x90"),
        "50m",
        fires=False,
    ),
    _case(
        "DeadLetters",
        "half, and the release has sinks only",
        _dead_letters(sink_received="0+1000x90", sink_rejected="0+500x90"),
        "80m",
        fires=True,
    ),
    _case(
        "DeadLetters",
        "a twentieth of a backlog that the sink drains",
        _dead_letters(received="1000x60", rejected="3x60", sink_received="0+1000x60", sink_rejected="0+50x60"),
        "50m",
        fires=True,
    ),
    _case("BreakerOpen", "it holds", _holding("breaker", "1x30"), "2m", fires=True),
    _case("BreakerOpen", "it does not", _holding("breaker", "0x30"), "20m", fires=False),
    _case("BreakerOpen", "another hold", _holding("kafka_away", "1x30"), "20m", fires=False),
    _case("Holding", "the destination refuses", _holding("destination_refuses", "1x30"), "3m", fires=True),
    _case("Holding", "it does not", _holding("destination_refuses", "0x30"), "20m", fires=False),
    _case("Holding", "Kafka was away for a minute", _holding("kafka_away", "0 1 0x28"), "4m", fires=False),
    _case("Holding", "the breaker has its own alert", _holding("breaker", "1x30"), "20m", fires=False),
    _case("ClockWrong", "a minute behind", _clock("-60x30"), "6m", fires=True),
    _case("ClockWrong", "as far as the way to the brokers", _clock("2x30"), "20m", fires=False),
    _case("ClockWrong", "set right within a minute", _clock("0 7200 0x28"), "20m", fires=False),
    _case("DoubtfulAnswers", "a login page answers", ((_DOUBTFUL, "0+5x30"),), "15m", fires=True),
    _case("DoubtfulAnswers", "Segment answers", ((_DOUBTFUL, "7x30"),), "25m", fires=False),
    _case("RulesReloadFailing", "refused", ((_REFUSED, "1x30"),), "6m", fires=True),
    _case("RulesReloadFailing", "in force", ((_REFUSED, "0x30"),), "20m", fires=False),
    _case("CredentialsReloadFailing", "refused", ((_KEY_REFUSED, "1x30"),), "6m", fires=True),
    _case("CredentialsReloadFailing", "in use", ((_KEY_REFUSED, "0x30"),), "20m", fires=False),
    _case("MemoryNearBound", "95 %", _memory(950), "11m", fires=True),
    _case("MemoryNearBound", "85 %", _memory(850), "25m", fires=False),
    _case("NoWorkers", "the sinks are gone", _workers("1x10 _x40", "0x10 _x40"), "25m", fires=True),
    _case("NoWorkers", "all are there", _workers("1x60", "0x60"), "25m", fires=False),
    _case("NoWorkers", "a sink was restarted", _workers("1x10 _x7 1x40", "0x10 _x7 1080x40"), "19m", fires=False),
    _case(
        "NoWorkers", "the one sink was replaced", _workers("1x10 stale 1x40", "0x10 stale 700x40"), "14m", fires=False
    ),
    _case(
        "NoWorkers",
        "the one sink was away for 4 minutes",
        _workers("1x10 _x4 1x40", "0x10 _x4 880x40"),
        "16m",
        fires=False,
    ),
    _case("NoWorkers", "two processors die soon after each start", _FALL_OVER, "25m", fires=True),
)


def _accepted(destination: str, *, late: int, of: int) -> tuple[tuple[str, str], ...]:
    labels = f'{_AT},instance="{destination}-sink",destination="{destination}"'
    return (
        (f'{_AGE}_bucket{{{labels},le="60.0"}}', f"0+{of - late}x90"),
        (f"{_AGE}_count{{{labels}}}", f"0+{of}x90"),
    )


def _lettered(destination: str, *, rejected: int, of: int) -> tuple[tuple[str, str], ...]:
    labels = f'{_AT},instance="{destination}-processor",destination="{destination}"'
    return (
        (f"onesignal_pipeline_events_received_total{{{labels}}}", f"0+{of}x90"),
        (f'onesignal_pipeline_events_rejected_total{{{labels},reason="no_user"}}', f"0+{rejected}x90"),
    )


APART: Final = (
    _case(
        "EventsLateFast",
        "all of the small destination are late, and none of the large one",
        (*_accepted("small", late=20, of=20), *_accepted("large", late=0, of=5_000)),
        "65m",
        fires=True,
    ),
    _case(
        "DeadLetters",
        "the small destination rejects half, the large one nothing",
        (*_lettered("small", rejected=10, of=20), *_lettered("large", rejected=0, of=5_000)),
        "50m",
        fires=True,
    ),
    _case(
        "Holding",
        "one of two holds",
        (*_holding("unreadable", "1x30", destination="small"), *_holding("unreadable", "0x30", destination="large")),
        "5m",
        fires=True,
    ),
)
"""Two destinations of one release, of which only the small one is in trouble."""
