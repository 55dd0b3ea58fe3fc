from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.bootstrap import tracked_users
from pipeline.bootstrap.destinations.segment import SEGMENT
from pipeline.bootstrap.tracked_users import read_file
from pipeline.core.billing_month import BillingMonth
from pipeline.kafka.partitioner import partition_for
from pipeline.settings import load_settings
from pipeline.state.tracked_users import UserHasher
from pipeline.tools.tracked_users import users_file
from pipeline.tools.tracked_users.rows import hash_row
from pipeline.tools.tracked_users.users_file import UsersFileError

if TYPE_CHECKING:
    from pipeline.tools.tracked_users.users_file import FileUsers

SECRET = "a secret that is long enough"
HASHER = UserHasher(SECRET)
PARTITIONS = 4


def at(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def first_day(text: str, start_day: int = 1) -> int:
    return BillingMonth(start_day).first_day(at(text))


NOVEMBER, OCTOBER = first_day("2026-11-01"), first_day("2026-10-01")


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracked_users, "now_ms", lambda: at("2026-11-25T13:00"))


def read(*lines: str | bytes, start_day: int = 1, told: list[int] | None = None) -> FileUsers:
    settings = load_settings(
        {"PIPELINE_TRACKED_USERS_SECRET": SECRET, "PIPELINE_BILLING_MONTH_START_DAY": str(start_day)}
    )
    content = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    file = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", errors="surrogateescape", newline="")
    return read_file(settings, SEGMENT, file, PARTITIONS, (told if told is not None else []).append)


def users(found: FileUsers) -> dict[tuple[int, int], list[int]]:
    return {key: list(hashes) for key, hashes in found.marks.items()}


def where(user: str, month: int = NOVEMBER) -> tuple[int, int]:
    return partition_for(user.encode(), PARTITIONS), month


def mistakes(*lines: str | bytes, start_day: int = 1) -> list[str]:
    with pytest.raises(UsersFileError) as refusal:
        read(*lines, start_day=start_day)
    return str(refusal.value).splitlines()


@pytest.mark.parametrize(
    "lines",
    [
        ("user_id", "u-1"),
        ("user_id\r", "u-1\r", "\r", ""),
        ("\ufeffuser_id", '"u-1"', "u-1"),
        ("user_id,month", "u-1,"),
        ("month,user_id", "2026-11,u-1"),
        ("user_id,month", "u-1,2026-11-01"),
    ],
)
def test_a_user_by_id_is_of_the_present_month_and_of_the_partition_of_the_events(lines: tuple[str, ...]) -> None:
    found = read(*lines)
    assert users(found) == {where("u-1"): [HASHER.hash_of(b"u-1")]}
    assert (found.counts(), found.over) == ({NOVEMBER: 1}, 0)


def test_ids_are_taken_letter_by_letter() -> None:
    found = read("user_id", '"Doe, ""Jane"""', "Ünï 😀", "a b")
    hashes = {HASHER.hash_of(user.encode()) for user in ('Doe, "Jane"', "Ünï 😀", "a b")}
    assert {each for hashes_of_month in found.marks.values() for each in hashes_of_month} == hashes


def test_the_month_may_be_the_one_before_and_older_ones_are_counted_and_left_out() -> None:
    found = read("user_id,month", "u-1,2026-10", "u-1,2026-11", "u-2,2026-09-01", "u-3,0001-01")
    assert users(found) == {where("u-1", month): [HASHER.hash_of(b"u-1")] for month in (OCTOBER, NOVEMBER)}
    assert found.over == 2


def test_months_begin_on_the_day_of_the_setting() -> None:
    found = read("user_id,month", "u-1,2026-11", "u-1,2026-11-15", "u-2,2026-10", start_day=15)
    assert found.counts() == {first_day("2026-10-20", 15): 1, first_day("2026-11-20", 15): 1}
    assert mistakes("user_id,month", "u-1,2026-11-01", start_day=15) == [
        "Line 2: month does not begin on day 15, the value of PIPELINE_BILLING_MONTH_START_DAY: write 2026-11 or "
        "2026-11-15."
    ]


def test_every_mistake_is_listed_with_its_lines_and_without_a_users_id() -> None:
    told = mistakes(
        "user_id,month",
        "jane@example.test ,2026-11",
        ",2026-11",
        "anonymous,",
        "NULL,",
        "jane@example.test,2026-13",
        "jane@example.test,november",
        "jane@example.test,2026-12",
        "jane@example.test",
        "u-1,2026-11",
        "jane@example.test,2026-11,x",
        b"\xff,2026-11",
        '"jane\n@example.test",2026-11',
        "jane@example.test,2026-11-02",
        "jane@example.test,2026-W45-1",
        '"jane@example.test"x,2026-11',
        "u-1,2026-11",
        '"jane@example.test,',
    )
    assert told == [
        "Lines 2, 12, 14: user_id has leading or trailing spaces, invisible characters, or is not UTF-8.",
        "Line 3: user_id is empty.",
        "Lines 4-5: user_id is a placeholder like `null` or `anonymous`: events with it are anonymous.",
        "Lines 6-7, 16: month is not valid: write 2026-11 or 2026-11-01.",
        "Line 8: month has not begun: import its users when it begins.",
        "Lines 9, 11: the number of columns is not 2, as in line 1.",
        "Line 15: month does not begin on day 1, the value of PIPELINE_BILLING_MONTH_START_DAY: write 2026-11 or "
        "2026-11-01.",
        "Line 17: this is not CSV: ',' expected after '\"'.",
        "Line 19: this is not CSV: unexpected end of data.",
    ]


@pytest.mark.parametrize(
    "header",
    [
        "",
        "u-1",
        "user_id,user_id",
        "user_id,email",
        "user_id;month",
        "user_hash,partition",
        "month",
        "user_id,user_hash,partition,month",
        "User_Id",
    ],
)
def test_a_file_must_begin_with_its_columns(header: str) -> None:
    (told,) = mistakes(header, "u-1")
    assert told.startswith("Line 1: the file must begin with the names of its columns: `user_id` or `user_id,month`,")


@pytest.mark.parametrize("lines", [("user_id",), ("user_id", "", "")])
def test_a_file_without_users_is_a_mistake(lines: tuple[str, ...]) -> None:
    assert mistakes(*lines) == ["The file has no users."]


def test_an_empty_file_is_a_mistake() -> None:
    assert mistakes("")[0].startswith("Line 1: the file must begin")


def test_who_waits_is_told_how_many_lines_were_read() -> None:
    told: list[int] = []
    read("user_id", *(f"u-{number}" for number in range(250_000)), told=told)
    assert told == [100_000, 200_000]


HEADER = "user_hash,partition,month,partitions,secret"


def exported(user: bytes = b"u-1", partition: int = 3, month: int = NOVEMBER) -> str:
    return hash_row(HASHER.hash_of(user), partition, month, partitions=PARTITIONS, fingerprint=HASHER.fingerprint.hex())


def test_what_was_exported_is_taken_in() -> None:
    assert exported() == f"{HASHER.hash_of(b'u-1'):016x},3,2026-11-01,4,{HASHER.fingerprint.hex()}"
    found = read(HEADER, exported(), exported(month=OCTOBER), exported(b"u-2"), exported())
    one, other = HASHER.hash_of(b"u-1"), HASHER.hash_of(b"u-2")
    assert users(found) == {(3, NOVEMBER): sorted([one, other]), (3, OCTOBER): [one]}
    assert found.counts() == {OCTOBER: 1, NOVEMBER: 2}


def test_the_last_two_columns_of_an_export_may_be_missing() -> None:
    assert users(read("user_hash,partition,month", "00000000000000ff,0,2026-11")) == {(0, NOVEMBER): [255]}


def test_hashes_of_another_secret_or_another_raw_topic_are_refused() -> None:
    other = UserHasher("another secret, as long as that").fingerprint.hex()
    lines = [f"00000000000000ff,0,2026-11-01,{count},{secret}" for count, secret in ((4, other), (4, ""), (5, ""))]
    assert mistakes(HEADER, exported(), *lines[:1] * 1_000) == [
        "Lines 3-1002: user_hash was made with another PIPELINE_TRACKED_USERS_SECRET: set that, or import user ids."
    ]
    assert mistakes(HEADER, f"00000000000000ff,0,2026-11-01,5,{HASHER.fingerprint.hex()}") == [
        "Line 2: partition belongs to a raw topic with a number of partitions other than 4: import user ids."
    ]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ff,0,2026-11", "user_hash is not 16 digits from 0 to f"),
        ("00000000000000FF,0,2026-11", "user_hash is not 16 digits from 0 to f"),
        ("00000000000000ff,4,2026-11", "partition does not exist in the raw topic: write 0 to 3"),
        ("00000000000000ff,-1,2026-11", "partition does not exist in the raw topic: write 0 to 3"),
        ("00000000000000ff,\u0663,2026-11", "partition does not exist in the raw topic: write 0 to 3"),
        ("00000000000000ff,0000000000,2026-11", "partition does not exist in the raw topic: write 0 to 3"),
        ("00000000000000ff,,2026-11", "partition does not exist in the raw topic: write 0 to 3"),
        ("00000000000000ff,0,", "month is empty"),
        ("00000000000000ff,0,2027-01", "month has not begun: import its users when it begins"),
    ],
)
def test_a_hash_that_cannot_be_used_is_refused(line: str, told: str) -> None:
    assert mistakes("user_hash,partition,month", line) == [f"Line 2: {told}."]


def test_a_line_without_an_end_is_read_no_further_than_a_user_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users_file, "MOST_LINE_CHARACTERS", 100)
    file = io.StringIO("user_id\n" + "u" * 1_000_000)
    with pytest.raises(UsersFileError, match=r"^Line 2: it has more than 100 characters\.$"):
        list(users_file.bounded_lines(file))
    assert file.tell() == len("user_id\n") + 101


def test_a_file_that_cannot_be_read_on_is_a_mistake() -> None:
    unreadable = pytest.raises(UsersFileError, match=r"^Line 1: it cannot be read: ")
    with Path("/proc/self/mem").open(encoding="latin-1") as file, unreadable:
        list(users_file.bounded_lines(file))


def test_the_lines_of_a_file_are_those_of_the_file() -> None:
    assert list(users_file.bounded_lines(io.StringIO("user_id\nu-1"))) == ["user_id\n", "u-1"]


def test_of_thousands_of_lines_with_the_same_mistake_the_first_are_named() -> None:
    (told,) = mistakes("user_id,month", *(line for _ in range(1_000) for line in ("u-1,2026-13", "u-1,2026-11")))
    assert told.startswith("Lines 2, 4, 6, ")
    assert ", 38, 40 and 980 more: " in told
