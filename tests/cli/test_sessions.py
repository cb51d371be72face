"""Conversations, applied on the simulator, stored, told and judged again as a user does it."""

from __future__ import annotations

import json
import subprocess
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

from llmload.domain import Outcome, RequestRecord
from llmload.store.database import open_existing
from tests.command import here, measured, write_scenario

pytestmark = pytest.mark.measuring

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def applied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """Conversations of three turns, in which 64 tokens grow to about 160."""
    folder = tmp_path_factory.mktemp("applied")
    scenario = write_scenario(
        folder,
        workload={
            "prompts": {"synthetic": {"input_tokens": 64, "output_tokens": 16}},
            "sessions": {"turns": 3, "think_time": "20ms", "input_tokens": 32},
        },
        load={"concurrency": [4], "requests": 100},
        decision={"max_requests": 100},
    )
    return folder, measured("apply", str(scenario), "--store", "runs.db", cwd=folder)


def held(folder: Path) -> list[list[RequestRecord]]:
    """The requests of each conversation of the last run, turn by turn, where all went well."""
    with open_existing(folder / "runs.db") as store:
        stored = store.load(store.find("latest"))
    found: dict[int | None, list[RequestRecord]] = defaultdict(list)
    for record in sorted((r for w in stored.observations for r in w.records), key=lambda r: r.due_ns):
        found[record.part.session].append(record)
    return [each for each in found.values() if {record.outcome for record in each} == {Outcome.OK}]


@pytest.fixture(scope="module")
def sessions(applied: tuple[Path, subprocess.CompletedProcess[str]]) -> list[list[RequestRecord]]:
    """The requests of each conversation that the store has, turn by turn, as far as all went well."""
    folder, done = applied
    assert done.returncode == 0, done.stdout + done.stderr
    return held(folder)


def test_context_and_cache_grow_from_turn_to_turn(sessions: list[list[RequestRecord]]) -> None:
    pairs = [pair for each in sessions for pair in pairwise(each)]
    assert len(pairs) >= 50
    for before, after in pairs:
        said = (before.input_tokens or 0) + (before.output_tokens or 0) + 32
        assert said <= (after.input_tokens or 0) <= said + 10  # what the template adds to a turn
        assert after.cached_tokens == (before.input_tokens or 0) // 16 * 16  # whole blocks of the simulator's cache
    assert {each[0].cached_tokens for each in sessions} == {0}


def test_a_turn_is_due_when_its_user_has_thought(sessions: list[list[RequestRecord]]) -> None:
    assert {after.due_ns - before.done_ns for each in sessions for before, after in pairwise(each)} == {20_000_000}


def test_each_turn_is_told_by_itself_and_judging_again_comes_to_the_same(
    applied: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, done = applied
    result = json.loads(next(folder.glob("reports/*/result.json")).read_text())
    parts = result["steps"][0]["parts"]
    assert [(part["axis"], part["name"]) for part in parts] == [("turn", "1"), ("turn", "2"), ("turn", "3")]
    assert here("gate", "latest", "--store", "runs.db", cwd=folder).returncode == done.returncode == 0


def test_the_plan_says_how_far_prompts_grow() -> None:
    told = here("plan", str(ROOT / "scenarios/sessions.yaml"), cwd=ROOT).stdout
    assert "conversations of 4 turns, with 300ms of thought between two, on average" in told
    assert "prompts grow from about 200 tokens to 440 at the last turn, 560 at most" in told


def recorded(row: int) -> str:
    """A row of ShareGPT: three pairs, whose answers would be 16 tokens."""
    pairs = [("human", f"What is there to say of {row} and of {turn}?") for turn in range(3)]
    said = [each for pair in pairs for each in (pair, ("gpt", "x" * 64))]
    return json.dumps({"conversations": [{"from": speaker, "value": text} for speaker, text in said]}) + "\n"


def test_conversations_of_a_file_are_held_with_the_servers_answers_and_judged_again_without_it(tmp_path: Path) -> None:
    (tmp_path / "talks.jsonl").write_text("".join(map(recorded, range(60))))
    scenario = write_scenario(
        tmp_path,
        workload={
            "prompts": {"file": {"path": "talks.jsonl", "format": "sharegpt"}},
            "sessions": {"think_time": "5ms"},
        },
        load={"concurrency": [4], "requests": 90, "workers": 2},
        decision={"max_requests": 90},
        gates=["error_rate <= 20%"],
    )
    planned = here("plan", str(scenario), cwd=tmp_path).stdout
    assert "each row is a conversation of 3 turns on average, 3 at most" in planned
    done = measured("apply", str(scenario), "--store", "runs.db", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "talks.jsonl").unlink()
    assert here("gate", "latest", "--store", "runs.db", cwd=tmp_path).returncode == 0
    sessions = held(tmp_path)
    pairs = [pair for each in sessions for pair in pairwise(each)]
    assert len(pairs) >= 30
    assert max(map(len, sessions)) == 3
    for before, after in pairs:
        assert (after.input_tokens or 0) > (before.input_tokens or 0) + (before.output_tokens or 0)
        assert (after.cached_tokens or 0) >= (before.input_tokens or 0) // 16 * 16
