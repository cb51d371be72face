"""Traces as they are published, and everything that can be wrong with a row of one."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.errors import DataFileError
from llmload.scenario import trace_file
from llmload.scenario.recording import Recording
from llmload.scenario.trace_file import open_recording, read_recording

MOONCAKE = """\
{"timestamp": 27482, "input_length": 1500, "output_length": 52, "hash_ids": [46, 47, 2353]}
{"timestamp": 30535, "input_length": 1200, "output_length": 26, "hash_ids": [46, 47, 2366]}
{"timestamp": 30535, "input_length": 600, "output_length": 1, "hash_ids": [46, 9]}
"""
AZURE = """\
TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 23:59:59.6805900,374,44
2023-11-17 00:00:00.9951691,396,109
"""


def read(text: str, name: str = "t") -> Recording:
    return read_recording(text.encode().splitlines(keepends=True), name)


def refused(text: str) -> DataFileError:
    with pytest.raises(DataFileError) as caught:
        read(text)
    assert caught.value.exit_code == 2
    return caught.value


# ---------------------------------------------------------------- the formats


def test_mooncake_s_rows_have_milliseconds_lengths_and_blocks() -> None:
    found = read(MOONCAKE)
    assert list(found.at_ns) == [0, 3_053_000_000, 3_053_000_000]
    assert list(found.input_tokens) == [1500, 1200, 600]
    assert list(found.output_tokens) == [52, 26, 1]
    assert [list(found.blocks(row)) for row in range(3)] == [[46, 47, 2353], [46, 47, 2366], [46, 9]]
    assert (found.has_blocks, found.notices) == (True, ())
    assert found.sha256 == sha256(MOONCAKE.encode()).hexdigest()


def test_tokens_repeat_as_far_as_their_blocks_were_seen() -> None:
    found = read(MOONCAKE)
    assert [found.repeated_tokens(rows) for rows in (1, 2, 3)] == [0, 1024, 1024 + 512]


def test_azure_s_rows_have_instants_down_to_a_hundred_nanoseconds() -> None:
    found = read(AZURE)
    assert list(found.at_ns) == [0, 1_314_579_100]
    assert (list(found.input_tokens), list(found.output_tokens)) == ([374, 396], [44, 109])
    assert not found.has_blocks


@pytest.mark.parametrize(
    ("first", "second", "gap_ns"),
    [
        pytest.param("2024-05-10 00:00:00.009930+00:00", "2024-05-10 00:00:01+00:00", 990_070_000, id="with a zone"),
        pytest.param("2024-05-10T00:00:00Z", "2024-05-10T02:00:00.5+02:00", 500_000_000, id="of two zones"),
        pytest.param("2024-05-10 00:00:00Z", "2024-05-09 22:00:01-0200", 1_000_000_000, id="west of Greenwich"),
        pytest.param("2024-02-28 23:59:59", "2024-03-01 00:00:00", 86_401_000_000_000, id="over a leap day"),
        pytest.param("2023-12-31 23:59:59", "2024-01-01 00:00:00", 1_000_000_000, id="over the new year"),
    ],
)
def test_azure_s_instants_come_in_several_spellings(first: str, second: str, gap_ns: int) -> None:
    assert list(read(f"{AZURE.splitlines()[0]}\n{first},1,1\n{second},1,1\n").at_ns) == [0, gap_ns]


def test_columns_may_stand_in_another_order_among_others_and_in_quotes() -> None:
    found = read('\ufeffGeneratedTokens,Model,"TIMESTAMP", ContextTokens\r\n7,a,"2024-05-10 00:00:00",9\r\n')
    assert (list(found.input_tokens), list(found.output_tokens)) == ([9], [7])


def test_blank_lines_and_other_keys_are_passed_over() -> None:
    found = read('\n{"timestamp": 1, "input_length": 2, "output_length": 3, "model": "m"}\n\n')
    assert (len(found), found.has_blocks) == (1, False)


def test_fractions_of_a_millisecond_count() -> None:
    rows = '{"timestamp": 0.5, "input_length": 2, "output_length": 3}\n' * 2
    assert list(read(rows.replace("0.5", "0.25", 1)).at_ns) == [0, 250_000]


# ---------------------------------------------------------------- what is mended, with a notice


def test_rows_are_put_in_the_order_of_their_timestamps_and_take_their_blocks_along() -> None:
    lines = MOONCAKE.splitlines(keepends=True)
    found = read("".join(reversed(lines)))
    assert list(found.at_ns) == [0, 3_053_000_000, 3_053_000_000]
    assert list(found.input_tokens) == [1500, 600, 1200]
    assert [list(found.blocks(row)) for row in range(3)] == [[46, 47, 2353], [46, 9], [46, 47, 2366]]
    assert found.notices == (
        "t: 1 row is older than the one before it; requests are sent in the order of their timestamps",
    )


def test_a_length_of_zero_becomes_one() -> None:
    found = read('{"timestamp": 0, "input_length": 0, "output_length": 0, "hash_ids": []}\n')
    assert (list(found.input_tokens), list(found.output_tokens)) == ([1], [1])
    assert found.notices == ("t: 1 row asks for 0 tokens in or out, and get 1, the least that servers take",)


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        pytest.param("{", "not JSON", id="cut off"),
        pytest.param("[1]", "not a JSON object", id="a list"),
        pytest.param('{"input_length": 1, "output_length": 1}', "timestamp is missing", id="no timestamp"),
        pytest.param('{"timestamp": "1", "input_length": 1, "output_length": 1}', "timestamp is '1'", id="text"),
        pytest.param('{"timestamp": true, "input_length": 1, "output_length": 1}', "timestamp is True", id="truth"),
        pytest.param('{"timestamp": 1e300, "input_length": 1, "output_length": 1}', "timestamp is 1e", id="no time"),
        pytest.param('{"timestamp": 1, "output_length": 1}', "input_length is missing", id="no length"),
        pytest.param('{"timestamp": 1, "input_length": 1.5, "output_length": 1}', "input_length is 1.5", id="part"),
        pytest.param('{"timestamp": 1, "input_length": 1, "output_length": -1}', "output_length is -1", id="negative"),
        pytest.param(
            '{"timestamp": 1, "input_length": 1, "output_length": 99999999999}', "output_length is 9", id="endless"
        ),
        pytest.param(
            '{"timestamp": 1, "input_length": 9, "output_length": 1, "hash_ids": 5}', "hash_ids is not", id="no list"
        ),
        pytest.param(
            '{"timestamp": 1, "input_length": 9, "output_length": 1, "hash_ids": ["a"]}', "hash_ids is not", id="words"
        ),
        pytest.param(
            '{"timestamp": 1, "input_length": 64, "output_length": 1, "hash_ids": [1, 2, 3, 4]}',
            "4 hash_ids for 64 tokens, where blocks of 512 make 1",
            id="blocks of another size",
        ),
    ],
)
def test_a_bad_row_of_mooncake_s_is_told_at_its_line(row: str, problem: str) -> None:
    error = refused(MOONCAKE + row + "\n")
    assert error.where == "t:4"
    assert problem in str(error)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        pytest.param("2023-11-16 18:15:46,374", "2 columns, and the header has 3", id="a column short"),
        pytest.param("yesterday,374,44", "TIMESTAMP is 'yesterday'", id="no time"),
        pytest.param("2023-02-29 00:00:00,374,44", "TIMESTAMP is '2023-02-29", id="no such day"),
        pytest.param("2023-13-01 00:00:00,374,44", "TIMESTAMP is '2023-13-01", id="no such month"),
        pytest.param("2023-11-16 24:15:46,374,44", "which no clock shows", id="no such hour"),
        pytest.param("2023-11-16 18:15:46,,44", "ContextTokens is ''", id="empty"),
        pytest.param("2023-11-16 18:15:46,374,4.5", "GeneratedTokens is '4.5'", id="part of a token"),
        pytest.param("2023-11-16 18:15:46,374,²", "GeneratedTokens is", id="a digit of another kind"),
    ],
)
def test_a_bad_row_of_azure_s_is_told_at_its_line(row: str, problem: str) -> None:
    error = refused(AZURE + row + "\n")
    assert error.where == "t:4"
    assert problem in str(error)


def test_bad_rows_are_told_together_and_no_more_than_twenty_of_them() -> None:
    lines = str(refused(MOONCAKE + "{\n[1]\n" + MOONCAKE)).splitlines()
    assert [line.split(": ")[:2] for line in lines] == [["t:4", lines[0].split(": ")[1]], ["t:5", "not a JSON object"]]
    assert len(str(refused(MOONCAKE + "{\n" * 50)).splitlines()) == 20


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        pytest.param("", "t: has no rows", id="nothing"),
        pytest.param(AZURE.splitlines()[0] + "\n", "t: has no rows", id="a header alone"),
        pytest.param("time,in,out\n1,2,3\n", "t:1: neither Mooncake's format nor Azure's", id="other columns"),
        pytest.param("\0\1\2", "t:1: neither", id="no text"),
        pytest.param(
            '{"timestamp": 0, "input_length": 1, "output_length": 1}\n'
            '{"timestamp": 1700000000000, "input_length": 1, "output_length": 1}\n',
            "span 19,675 days",
            id="two clocks",
        ),
    ],
)
def test_what_is_no_trace_is_refused(text: str, problem: str) -> None:
    assert problem in str(refused(text))


def test_a_trace_longer_than_a_million_rows_is_cut_by_its_owner_not_by_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_file, "MOST_ROWS", 2)
    assert str(refused(MOONCAKE)).startswith("t:3: more than 2 rows. Cut it")


@given(st.binary(max_size=400))
def test_no_file_whatever_is_a_defect_of_ours(content: bytes) -> None:
    with suppress(DataFileError):
        assert len(read_recording(content.splitlines(keepends=True), "t")) > 0


# ---------------------------------------------------------------- files


def test_a_file_is_read_again_once_it_changed(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(MOONCAKE)
    before = open_recording(str(path))
    assert open_recording(str(path)) is before
    path.write_text(MOONCAKE + MOONCAKE.splitlines()[0] + "\n")
    assert len(open_recording(str(path))) == len(before) + 1


def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="cannot be read: no such file"):
        open_recording(str(tmp_path / "none.jsonl"))
    with pytest.raises(DataFileError, match="is not a file"):
        open_recording(str(tmp_path))
