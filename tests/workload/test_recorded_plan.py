"""Requests made after a recording: its lengths, and prompts that begin alike where the recorded ones did."""

from __future__ import annotations

from array import array
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.domain import TokenFit, TokenSource
from llmload.errors import DataFileError
from llmload.planned import Look, Room, Step
from llmload.scenario.asked import Scenario
from llmload.scenario.lengths import Fixed
from llmload.scenario.loader import load_text
from llmload.scenario.recording import BLOCK_TOKENS, Recording
from llmload.workload.pace import Replay
from llmload.workload.plan import Plan, Rows
from llmload.workload.planning import longest_request, pace_of, plan_look, recording_of, warmup_of
from llmload.workload.words import WORDS

LOOK = Look(Step(0, "speed", 1.0), 0, 4)
FIT = TokenFit(10, 1.0, 0.0, TokenSource.USAGE)
LEAD = 3


def recording(*rows: tuple[int, list[int]]) -> Recording:
    """Rows of (prompt tokens, block ids), a second apart, with answers of 1, 2, 3... tokens."""
    ids, ends = array("q"), array("q")
    for _, blocks in rows:
        ids.extend(blocks)
        ends.append(len(ids))
    at_ns = array("q", (number * 10**9 for number in range(len(rows))))
    lengths = array("i", (tokens for tokens, _ in rows))
    return Recording(at_ns, lengths, array("i", range(1, len(rows) + 1)), ids, ends, "0" * 64)


SHARING = recording((1300, [7, 8, 9]), (1300, [7, 8, 10]), (900, [7, 8]), (1100, [7, 11, 12]))


def plan(rows: Recording = SHARING, *, unique: bool = False, run: str = "a", fit: TokenFit = FIT) -> Plan:
    return Plan(42, 0, 0, Fixed(5), Fixed(5), unique, fit, run, Rows(rows, LEAD))


def words(asked: Plan, row: int) -> list[str]:
    return asked.request(LEAD + row).prompt.split(" ")


def test_lengths_are_those_of_the_rows_and_warm_up_has_those_of_the_first() -> None:
    asked = [plan().request(index) for index in range(LEAD + 5)]
    assert [request.input_tokens for request in asked] == [1300, 1300, 900, 1300, 1300, 900, 1100, 1300]
    assert [request.output_tokens for request in asked] == [1, 2, 3, 1, 2, 3, 4, 1]
    assert [request.index for request in asked] == list(range(LEAD + 5))


def test_prompts_begin_alike_exactly_as_far_as_their_blocks_do() -> None:
    first, second, third, fourth = (words(plan(), row) for row in range(4))
    assert first[: 2 * BLOCK_TOKENS] == second[: 2 * BLOCK_TOKENS]
    assert first[2 * BLOCK_TOKENS :][:6] != second[2 * BLOCK_TOKENS :][:6]
    assert third == first[:890]  # the last block in part
    assert fourth[:BLOCK_TOKENS] == first[:BLOCK_TOKENS]
    assert fourth[BLOCK_TOKENS:][:6] != first[BLOCK_TOKENS:][:6]


def test_a_block_is_as_many_words_as_make_512_tokens() -> None:
    fit = TokenFit(0, 2.0, 0.0, TokenSource.USAGE)
    first, second = words(plan(fit=fit), 0), words(plan(fit=fit), 1)
    assert (len(first), first[:512] == second[:512], first[512] == second[512]) == (650, True, False)


def test_words_beyond_the_blocks_are_the_prompt_s_own() -> None:
    floors = recording((1300, [7, 8]), (1300, [7, 8]))
    first, second = words(plan(floors), 0), words(plan(floors), 1)
    assert len(first) == 1290
    assert first[:1024] == second[:1024]
    assert first[1024:1030] != second[1024:1030]


def test_another_run_meets_other_words_in_every_block() -> None:
    before, after = words(plan(), 0), words(plan(run="b"), 0)
    assert len(before) == len(after)
    for begin in (0, 512, 1024):
        assert before[begin : begin + 6] != after[begin : begin + 6]


def test_warm_up_prompts_share_nothing_with_measured_ones_or_each_other() -> None:
    openings = {plan().request(index).prompt[:40] for index in range(LEAD)}
    assert len(openings) == LEAD
    assert plan().request(LEAD).prompt[:40] not in openings


def test_unique_prompts_ignore_the_blocks() -> None:
    assert words(plan(unique=True), 0)[:6] != words(plan(unique=True), 1)[:6]


def test_a_recording_without_blocks_is_salted_or_not_as_asked() -> None:
    bare = recording((100, []), (100, []))
    assert words(plan(bare, unique=True), 0)[:6] != words(plan(bare, unique=True), 1)[:6]
    assert words(plan(bare), 0) == words(plan(bare, run="b"), 0)


def test_many_blocks_hardly_ever_share_their_first_words() -> None:
    many = recording(*((64, [number]) for number in range(20_000)))
    assert len({tuple(words(plan(many), row)[:6]) for row in range(20_000)}) == 20_000


@given(
    tokens=st.integers(1, 5000),
    extra=st.integers(0, 1),
    template=st.floats(0, 50),
    per_word=st.floats(0.8, 4),
    unique=st.booleans(),
    index=st.integers(0, 100),
)
def test_a_prompt_has_the_words_that_the_fit_wants(
    tokens: int, extra: int, template: float, per_word: float, unique: bool, index: int
) -> None:
    fit = TokenFit(template, per_word, 0.0, TokenSource.USAGE)
    ids = list(range(tokens // BLOCK_TOKENS + extra))
    request = plan(recording((tokens, ids)), unique=unique, fit=fit).request(index)
    found = request.prompt.split(" ")
    assert set(found) <= set(WORDS)
    assert len(found) == max(1, round((tokens - template) / per_word))


# ---------------------------------------------------------------- from a scenario


TRACE = """\
{"timestamp": 9, "input_length": 609, "output_length": 8}
{"timestamp": 9, "input_length": 609, "output_length": 5000}
{"timestamp": 3009, "input_length": 700, "output_length": 8}
{"timestamp": 6009, "input_length": 5, "output_length": 8}
"""


@pytest.fixture
def replayed(tmp_path: Path) -> Scenario:
    """A scenario with three of the four requests of a trace."""
    (tmp_path / "t.jsonl").write_text(TRACE)
    text = (
        "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target: {url: http://h}\n"
        "  load: {trace: {file: t.jsonl, speed: 2}, warmup: {requests: 3}, requests: 3}\n"
    )
    return load_text(text, "s.yaml", env={}, directory=tmp_path)


def test_a_trace_is_replayed_at_its_speed_after_a_warm_up(replayed: Scenario) -> None:
    pace = pace_of(replayed, LOOK)
    assert isinstance(pace, Replay)
    ms = [offset / 1e6 for offset in islice(pace.offsets_ns(), 9)]
    assert ms == [0, 250, 500, 750, 750, 2250, 3750]
    assert (pace.lead, warmup_of(replayed, LOOK)) == (3, 0)


def test_the_gap_between_warm_up_requests_is_the_mean_one_where_that_is_shorter(replayed: Scenario) -> None:
    faster = replace(replayed, load=replace(replayed.load, shape=replace(replayed.load.shape, speed=20.0)))  # type: ignore[type-var]
    pace = pace_of(faster, LOOK)
    assert isinstance(pace, Replay)
    assert pace.lead_gap_ns == 100_000_000


@pytest.mark.parametrize(
    ("every_ms", "rows", "speed", "expected"),
    [
        pytest.param(432_000, 200, 1000.0, 8, id="a day at a thousandfold speed is still few requests per second"),
        pytest.param(10, 400, 1.0, 200, id="two seconds of its requests"),
        pytest.param(0, 40, 1.0, 40, id="all at once: no more than there are"),
    ],
)
def test_the_default_warm_up_goes_by_how_fast_requests_come_not_by_the_speed(
    tmp_path: Path, every_ms: int, rows: int, speed: float, expected: int
) -> None:
    row = '{{"timestamp": {}, "input_length": 9, "output_length": 4}}\n'
    (tmp_path / "t.jsonl").write_text("".join(row.format(number * every_ms) for number in range(rows)))
    text = (
        "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target: {url: http://h}\n"
        f"  load: {{trace: {{file: t.jsonl, speed: {speed}}}}}\n"
    )
    found = load_text(text, "s.yaml", env={}, directory=tmp_path)
    pace = pace_of(found, LOOK)
    assert isinstance(pace, Replay)
    assert pace.lead == expected


def test_the_plan_of_a_trace_leads_as_its_pace_does(replayed: Scenario) -> None:
    asked = plan_look(replayed, LOOK, FIT, run="a")
    assert [asked.request(index).output_tokens for index in (0, 1, 3, 4, 5)] == [8, 5000, 8, 5000, 8]


def test_a_server_must_have_room_for_the_longest_request_of_the_trace(replayed: Scenario) -> None:
    found = longest_request(replayed)
    assert found == Room(609, 5000)
    part = replace(replayed, load=replace(replayed.load, requests=1))
    assert longest_request(part) == Room(609, 8)


def test_a_trace_that_changes_before_it_is_sent_is_noticed(replayed: Scenario, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text(path.read_text().replace("5000", "5001"))
    with pytest.raises(DataFileError, match="changed since the scenario was read"):
        recording_of(replayed.load.shape)  # type: ignore[arg-type]
