"""Prompts from a file: which rows a window asks, the same on every machine, and each once in a run."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.looks import planned_sizes, steps_of
from llmload.analysis.row_use import rows_needed, stretch_of
from llmload.domain import TokenFit, TokenSource
from llmload.endpoint import Endpoint
from llmload.errors import DataFileError
from llmload.frameworks.openai import chat_body
from llmload.planned import Look, Room
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_text
from llmload.workload.file_plan import FilePlan
from llmload.workload.permutation import permutation_of
from llmload.workload.planning import longest_request, plan_look
from llmload.workload.shard import Shard

ENDPOINT = Endpoint("http://127.0.0.1:1", "openai", "chat", "tiny", True, {"temperature": 0})
FIT = TokenFit(0, 1.0, 0.0, TokenSource.USAGE)
ROWS = 500


def rows_text(rows: int = ROWS) -> str:
    """Every second row is a conversation, every third says how long its answer is to be."""
    lines = []
    for row in range(rows):
        messages = [{"role": "system", "content": "Be brief."}] * (row % 2)
        messages.append({"role": "user", "content": f"What of {row}?"})
        lines.append(json.dumps({"messages": messages, **({"max_tokens": 7} if row % 3 else {})}) + "\n")
    return "".join(lines)


def scenario(
    folder: Path,
    file: str = "",
    load: str = "concurrency: [2, 4], requests: 20",
    *,
    seed: int = 42,
    most: int = 40,
) -> Scenario:
    """A scenario over a file of `ROWS` rows in `folder`."""
    path = folder / "rows.jsonl"
    if not path.exists():
        path.write_text(rows_text())
    text = (
        "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target: {url: http://localhost:8000}\n"
        f"  workload:\n    seed: {seed}\n    prompts: {{file: {{path: rows.jsonl, format: openai{file}}}}}\n"
        f"  load: {{{load}}}\n  gates: [goodput >= 90%]\n  decision: {{max_requests: {most}}}\n"
    )
    return load_text(text, "s.yaml", env={}, directory=folder)


def plan_of(found: Scenario, step: int = 0, number: int = 0, run: str = "a") -> FilePlan:
    where = steps_of(found)[step]
    look = Look(where, number, planned_sizes(found, where)[number])
    plan = plan_look(found, look, FIT, run=run, rows=stretch_of(found, look))
    assert isinstance(plan, FilePlan)
    return plan


def bodies(plan: FilePlan) -> list[bytes]:
    return [chat_body(ENDPOINT, plan.request(index)) for index in range(len(plan.rows))]


GOLDEN = "becfba7cb120f9864ca32ed1b59c337df7de7b6b86073682a4855c7c94c2bf4d"


def digest(folder: Path) -> str:
    """The SHA-256 of everything that the first look sends."""
    return sha256(b"\n".join(bodies(plan_of(scenario(folder))))).hexdigest()


def test_the_bytes_of_a_look_are_those_of_every_version_and_machine(tmp_path: Path) -> None:
    """Written down when the plan was made; if it changes, stored runs can no longer be compared with new ones."""
    assert digest(tmp_path) == GOLDEN
    code = "import sys; from pathlib import Path; from tests.workload.test_file_plan import digest; "
    code += "print(digest(Path(sys.argv[1])))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, env={"PYTHONHASHSEED": "1"}, check=True)
    assert done.stdout.strip() == GOLDEN


@given(size=st.integers(1, 3000), seed=st.integers(0, 2**63 - 1))
def test_a_shuffled_order_meets_every_row_once(size: int, seed: int) -> None:
    order = permutation_of(size, seed)
    assert sorted(order[place] for place in range(size)) == list(range(size))


def test_a_shuffled_order_is_another_one_for_another_seed_and_not_that_of_the_file() -> None:
    order = [permutation_of(1000, 1)[place] for place in range(1000)]
    other = [permutation_of(1000, 2)[place] for place in range(1000)]
    assert sum(a == b for a, b in zip(order, other, strict=True)) < 20
    assert sum(a == b for a, b in zip(order, range(1000), strict=True)) < 20
    assert abs(sum(order[:500]) / 500 - 500) < 60  # the first half is no half of the file


@pytest.mark.parametrize("order", ["shuffle", "sequential"])
def test_no_row_comes_twice_in_a_run_of_which_every_window_is_measured(order: str, tmp_path: Path) -> None:
    found = scenario(tmp_path, f", order: {order}")
    sent = [
        raw
        for step in steps_of(found)
        for number in range(len(planned_sizes(found, step)))
        for raw in bodies(plan_of(found, step.index, number))
    ]
    assert len(sent) == len(set(sent)) == rows_needed(found)


def test_in_sequence_rows_come_as_they_stand_in_the_file(tmp_path: Path) -> None:
    plan = plan_of(scenario(tmp_path, ", order: sequential"))
    asked = [plan.request(index).conversation[-1]["content"] for index in range(3)]
    assert asked == ["What of 0?", "What of 1?", "What of 2?"]


def test_at_random_rows_come_again_and_another_look_draws_others(tmp_path: Path) -> None:
    found = scenario(tmp_path, ", order: random", load="concurrency: [2], requests: 400", most=400)
    first = bodies(plan_of(found))
    assert 150 < len(set(first)) < len(first)
    two_looks = scenario(tmp_path, ", order: random")
    assert bodies(plan_of(two_looks))[:20] != bodies(plan_of(two_looks, number=1))[:20]


def test_without_a_salt_prompts_are_as_they_are_and_with_one_no_prompt_of_two_runs_begins_alike(tmp_path: Path) -> None:
    plain = plan_of(scenario(tmp_path))
    assert bodies(plain) == bodies(plan_of(scenario(tmp_path), run="b"))
    salted = scenario(tmp_path, ", unique: true")
    plans = [plan_of(salted, run=run) for run in "ab"]
    texts = [str(plan.request(index).conversation[0]["content"]) for plan in plans for index in range(30)]
    assert len({text[:20] for text in texts}) == 60
    request, bare = plan_of(salted).request(3), plain.request(3)
    assert str(request.conversation[0]["content"]).endswith(" " + str(bare.conversation[0]["content"]))
    assert request.conversation[1:] == bare.conversation[1:]


def test_answers_are_as_long_as_rows_ask_unless_the_scenario_says_so(tmp_path: Path) -> None:
    plan = plan_of(scenario(tmp_path))
    assert {plan.request(index).output_tokens for index in range(20)} == {7, 512}
    assert {plan.request(index).input_tokens for index in range(20)} == {None}
    drawn = plan_of(scenario(tmp_path, ", output_tokens: {uniform: [3, 5]}"))
    assert {drawn.request(index).output_tokens for index in range(50)} == {3, 4, 5}


@given(of=st.integers(1, 5), width=st.integers(1, 8))
def test_a_worker_has_the_rows_of_its_shard_and_no_others(
    of: int, width: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    plan = plan_of(scenario(tmp_path_factory.getbasetemp()))
    total = 0
    for number in range(of):
        mine = pickle.loads(pickle.dumps(plan.of_shard(Shard(number, of, width))))
        total += len(mine.rows.text)
        for index, _ in zip(Shard(number, of, width).indices(), range(60), strict=False):
            again = index if index < len(plan.rows) else index % mine.rows.period
            assert mine.request(index).conversation == plan.request(again).conversation
    assert total == len(plan.rows.text)


def test_the_longest_row_is_asked_with_a_salt_so_that_it_warms_no_cache(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(rows_text(9) + json.dumps({"messages": [{"role": "user", "content": "long " * 900}]}))
    longest = longest_request(scenario(tmp_path, ", reuse: true"))
    assert not isinstance(longest, Room)
    assert longest.prompt.endswith("long " * 900)
    assert (longest.prompt.startswith("long"), longest.output_tokens) == (False, 512)


def test_a_file_that_changes_before_it_is_sent_is_noticed(tmp_path: Path) -> None:
    found = scenario(tmp_path)
    path = tmp_path / "rows.jsonl"
    path.write_text(path.read_text().replace("What of 9?", "What of 8?"))
    with pytest.raises(DataFileError, match="changed since the scenario was read"):
        plan_of(found)


def test_a_run_is_known_by_what_its_file_holds_and_not_by_where_it_lies(tmp_path: Path) -> None:
    from llmload.analysis.fingerprint import workload_terms

    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    (folders[2] / "rows.jsonl").write_text(rows_text(501))
    here, there, other = (workload_terms(scenario(folder).workload) for folder in folders)
    assert here == there != other
    assert here != workload_terms(scenario(folders[0], ", order: random").workload)
