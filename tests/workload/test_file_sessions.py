"""Conversations from a file: which rows a window holds them from, what each turn adds, and how much room they need."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from llmload.analysis.fingerprint import workload_terms
from llmload.analysis.forecast import sessions_of
from llmload.analysis.looks import planned_sizes, steps_of
from llmload.analysis.row_use import check_rows, conversations_of, rows_needed, stretch_of
from llmload.domain import TokenFit, TokenSource
from llmload.errors import DataFileError
from llmload.planned import LongestConversation, Look, PlannedSession
from llmload.scenario.asked import Scenario
from llmload.scenario.lengths import Uniform
from llmload.scenario.loader import load_resolved, load_text
from llmload.scenario.traffic import Evenly, Sessions
from llmload.workload.file_sessions import FileSessionPlan
from llmload.workload.planning import longest_request, plan_look
from llmload.workload.session_plan import first_turns
from llmload.workload.shard import Shard

FIT = TokenFit(0, 1.0, 0.0, TokenSource.USAGE)
ROWS = 200


def talk(row: int) -> str:
    """A system prompt and 1 to 5 pairs, the longest last; the answers of every second row were recorded."""
    messages = [{"role": "system", "content": "Be brief."}]
    for turn in range(row % 5 + 1):
        messages.append({"role": "user", "content": f"What of {row}, and of {turn}?"})
        messages += [{"role": "assistant", "content": "x" * 4 * (10 + turn)}] * (row % 2)
    return json.dumps({"messages": messages}) + "\n"


def scenario(folder: Path, file: str = "", sessions: str = "think_time: 1s", requests: int = 60) -> Scenario:
    """A scenario over a file of conversations in `folder`."""
    (folder / "talks.jsonl").write_text("".join(map(talk, range(ROWS))))
    text = (
        "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target: {url: http://localhost:8000}\n"
        f"  workload:\n    prompts: {{file: {{path: talks.jsonl, format: openai{file}}}}}\n"
        f"    sessions: {{{sessions}}}\n  load: {{concurrency: [2, 4], requests: {requests}}}\n"
        f"  decision: {{max_requests: {requests}}}\n"
    )
    return load_text(text, "s.yaml", env={}, directory=folder)


def plan_of(found: Scenario, step: int = 0, run: str = "a") -> FileSessionPlan:
    where = steps_of(found)[step]
    look = Look(where, 0, planned_sizes(found, where)[0])
    plan = plan_look(found, look, FIT, run=run, rows=stretch_of(found, look))
    assert isinstance(plan, FileSessionPlan)
    return plan


def held(plan: FileSessionPlan) -> list[PlannedSession]:
    return [plan.session(index) for index in range(len(plan.rows.rows))]


def row_of(session: PlannedSession) -> int:
    text = str(session.turns[0].messages[-1]["content"])
    return int(text.split("What of ")[1].split(",", maxsplit=1)[0])


def test_each_conversation_is_a_row_with_all_its_turns(tmp_path: Path) -> None:
    plan = plan_of(scenario(tmp_path))
    for session in held(plan)[plan.slots :]:
        row = row_of(session)
        said = [turn.messages[-1]["content"] for turn in session.turns]
        assert said == [f"What of {row}, and of {turn}?" for turn in range(row % 5 + 1)]
        assert session.turns[0].messages[0] == {"role": "system", "content": "Be brief."}
        recorded = [10 + turn for turn in range(len(said))] if row % 2 else [512] * len(said)
        assert [turn.output_tokens for turn in session.turns] == recorded
        assert [turn.think_s for turn in session.turns] == [0.0] + [1.0] * (len(said) - 1)


def test_no_row_is_held_twice_in_a_run(tmp_path: Path) -> None:
    found = scenario(tmp_path)
    rows = [row_of(session) for step in (0, 1) for session in held(plan_of(found, step))]
    assert len(rows) == len(set(rows)) == rows_needed(found)


def test_the_same_arguments_give_the_same_conversations_and_a_salt_changes_with_the_run(tmp_path: Path) -> None:
    found = scenario(tmp_path, ", unique: true")
    assert held(plan_of(found)) == held(plan_of(found))
    begun = [str(each.turns[0].messages[0]["content"]) for run in "ab" for each in held(plan_of(found, run=run))]
    assert len({tuple(words.split()[:6]) for words in begun}) == len(begun)
    assert all(words.endswith("Be brief.") for words in begun)


def test_slots_begin_with_a_share_of_their_turns(tmp_path: Path) -> None:
    plan = replace(plan_of(scenario(tmp_path)), slots=40)
    begun = [(len(plan.session(slot).turns), row_of(plan.session(slot)) % 5 + 1) for slot in range(40)]
    assert len({turns for turns, whole in begun if whole == 5}) >= 4
    assert all(1 <= turns <= whole for turns, whole in begun)


def test_a_worker_is_given_the_rows_of_its_own_conversations(tmp_path: Path) -> None:
    plan = plan_of(scenario(tmp_path), step=1)
    shards = [Shard(number, 2, 4) for number in range(2)]
    for shard in shards:
        part: FileSessionPlan = pickle.loads(pickle.dumps(plan.of_shard(shard)))
        mine = [index for index in range(len(plan.rows.rows)) if index % 4 % 2 == shard.number]
        assert [part.session(index) for index in mine] == [plan.session(index) for index in mine]
        assert len(part.rows.rows.text) < 0.7 * len(plan.rows.rows.text)


def test_turns_cap_what_a_row_gives_and_lengths_replace_those_of_the_rows(tmp_path: Path) -> None:
    found = scenario(tmp_path, ", output_tokens: {uniform: [20, 30]}", "turns: 2")
    asked = [turn for session in held(plan_of(found)) for turn in session.turns]
    assert max(len(session.turns) for session in held(plan_of(found))) == 2
    assert {turn.output_tokens for turn in asked} <= set(range(20, 31))
    assert len({turn.output_tokens for turn in asked}) > 5
    forecast = sessions_of(found.workload)
    assert forecast is not None
    assert (forecast.turns, forecast.last_input_tokens) == (pytest.approx(1.8), None)


def test_a_run_that_may_need_more_conversations_than_there_are_is_refused(tmp_path: Path) -> None:
    check_rows(scenario(tmp_path))
    with pytest.raises(DataFileError, match=r"has 200 rows, and the run may need [\d,]+, warm-up and fillers"):
        check_rows(scenario(tmp_path, requests=400))
    check_rows(scenario(tmp_path, ", reuse: true", requests=400))


@pytest.mark.parametrize(("most", "requests", "slots"), [(1, 50, 8), (5, 40, 16), (20, 400, 4), (100, 3000, 64)])
def test_a_window_is_given_enough_conversations_and_not_many_more(most: int, requests: int, slots: int) -> None:
    rows = conversations_of(Sessions(Uniform(1, most), Evenly(0, 0), None), requests, slots)
    begun = [begun_by(requests, slots, most, Random(seed)) for seed in range(50)]
    assert max(begun) <= rows
    assert rows <= 2.5 * max(begun)


def begun_by(requests: int, slots: int, most: int, chance: Random) -> int:
    """Conversations of 1 to `most` turns that so many requests begin, where all slots are equally fast."""
    begun, left = slots, [first_turns(slot, chance.randint(1, most)) for slot in range(slots)]
    for number in range(requests):
        slot = number % slots
        if not left[slot]:
            begun, left[slot] = begun + 1, chance.randint(1, most)
        left[slot] -= 1
    return begun


def said_by(found: LongestConversation) -> list[Mapping[str, object]]:
    return [message for message in found.last.messages if message["role"] == "user"]


def test_a_server_must_have_room_for_the_last_turn_of_the_longest_conversation(tmp_path: Path) -> None:
    found = longest_request(scenario(tmp_path))
    assert isinstance(found, LongestConversation)
    assert (found.turns, found.earlier_tokens, found.output_tokens) == (5, 4 * 512, 512)
    assert len(said_by(found)) == 5
    assert [message["role"] for message in found.last.messages] == ["system", "user", *["assistant", "user"] * 4]
    short = longest_request(scenario(tmp_path, ", output_tokens: 16", "turns: 3"))
    assert isinstance(short, LongestConversation)
    assert (short.turns, short.earlier_tokens, short.output_tokens) == (3, 32, 16)


def test_the_resolved_document_is_the_same_scenario(tmp_path: Path) -> None:
    found = scenario(tmp_path, sessions="think_time: {uniform: [1s, 2s]}")
    again = load_resolved(found.document.resolved)
    assert again.workload == found.workload
    capped = scenario(tmp_path, sessions="turns: 2")
    assert workload_terms(capped.workload) != workload_terms(found.workload)
    assert load_resolved(capped.document.resolved).workload == capped.workload
