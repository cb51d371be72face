"""Mixtures: exact shares in every block, each class asked its own requests in order, and words that none repeats."""

from __future__ import annotations

import json
import pickle
from collections import Counter
from hashlib import sha256
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from llmload.analysis.forecast import mean_input, mean_output
from llmload.analysis.row_use import check_rows, rows_needed, stretch_of
from llmload.domain import TokenFit, TokenSource
from llmload.endpoint import Endpoint
from llmload.frameworks.openai import chat_body
from llmload.planned import Look, Part, Room, Step
from llmload.scenario.asked import Scenario
from llmload.scenario.loader import load_resolved, load_text
from llmload.scenario.quotas import Quotas, quotas_of
from llmload.workload.mixed_plan import MixedPlan
from llmload.workload.planning import longest_request, plan_look
from llmload.workload.shard import Shard

ENDPOINT = Endpoint("http://127.0.0.1:1", "openai", "chat", "tiny", True, {"temperature": 0})
FIT = TokenFit(0, 1.0, 0.0, TokenSource.USAGE)
LOOK = Look(Step(0, "concurrency", 4.0), 0, 100)
GOLDEN = "fee0a99832e4fbd718125e42bc24727f29cf9eac1e3f5d2a6e12375513e0f520"

KEYS = st.binary(min_size=32, max_size=32)


@st.composite
def shares(draw: st.DrawFn) -> list[float]:
    """One to sixteen shares of whole tenths of a percent, 1 together."""
    cuts = sorted(draw(st.sets(st.integers(1, 999), max_size=15)))
    return [(high - low) / 1000 for low, high in zip([0, *cuts], [*cuts, 1000], strict=True)]


def scenario(directory: Path = Path(), *, seed: int = 42, rag: str = "synthetic: {input_tokens: 40}") -> Scenario:
    text = (
        "apiVersion: llmload/v1\nkind: Scenario\nmetadata: {name: s}\nspec:\n  target: {url: http://localhost:8000}\n"
        f"  workload:\n    seed: {seed}\n    mixture:\n"
        "      - {class: chat, share: 70%, prompts: {synthetic: {input_tokens: 20, output_tokens: 10}}}\n"
        f"      - {{class: rag, share: 20%, prompts: {{{rag}}}}}\n"
        "      - {class: long, share: 10%, prompts: {synthetic: {input_tokens: 90, output_tokens: 90}}}\n"
        "  load: {concurrency: [2, 4], requests: 20}\n  gates: [goodput >= 90%]\n  decision: {max_requests: 40}\n"
    )
    return load_text(text, "s.yaml", env={}, directory=directory)


def plan_of(found: Scenario, look: Look = LOOK, run: str = "a") -> MixedPlan:
    plan = plan_look(found, look, FIT, run=run, rows=stretch_of(found, look))
    assert isinstance(plan, MixedPlan)
    return plan


def prompts(found: Scenario, look: Look = LOOK, run: str = "a") -> set[str]:
    return {plan_of(found, look, run).request(index).prompt for index in range(200)}


# ---------------------------------------------------------------- which request is of which class


@given(shares(), KEYS, st.integers(0, 20))
def test_every_block_has_exactly_its_share_of_each_class(parts: list[float], key: bytes, block: int) -> None:
    quotas = quotas_of(parts)
    start = block * quotas.block
    found = Counter(quotas.place(key, index).number for index in range(start, start + quotas.block))
    assert [found[number] for number in range(len(parts))] == [round(part * quotas.block) for part in parts]
    assert all(round(part * quotas.block, 6) == round(part * quotas.block) for part in parts)


@given(shares(), KEYS, st.integers(1, 2500))
def test_a_class_is_asked_its_requests_from_the_first_one_after_the_other(
    parts: list[float], key: bytes, requests: int
) -> None:
    quotas = quotas_of(parts)
    ranks: dict[int, int] = {}
    for index in range(requests):
        number, rank = quotas.place(key, index)
        assert rank == ranks.get(number, 0)
        ranks[number] = rank + 1
    assert all(count <= quotas.most(number, requests) for number, count in ranks.items())


@given(shares(), KEYS, st.integers(0, 1500), st.integers(1, 300))
def test_any_stretch_of_a_window_has_nearly_its_share_of_each_class(
    parts: list[float], key: bytes, start: int, width: int
) -> None:
    quotas = quotas_of(parts)
    found = Counter(quotas.place(key, index).number for index in range(start, start + width))
    most = 3 + 2 * len(parts) * max(parts)
    assert all(abs(found[number] - part * width) <= most for number, part in enumerate(parts))


def test_the_smallest_block_with_whole_shares_is_taken() -> None:
    assert quotas_of([0.7, 0.2, 0.1]) == Quotas((7, 2, 1))
    assert quotas_of([0.5, 0.5]) == Quotas((1, 1))
    assert quotas_of([0.333, 0.333, 0.334]).block == 1000


def test_another_seed_step_or_look_has_another_order() -> None:
    def order(found: Scenario, look: Look) -> list[str | None]:
        return [plan_of(found, look).request(index).part.traffic_class for index in range(100)]

    looks = (LOOK, Look(LOOK.step, 1, 100), Look(Step(1, "concurrency", 8.0), 0, 100))
    orders = [order(scenario(), look) for look in looks] + [order(scenario(seed=43), LOOK)]
    assert len({tuple(each) for each in orders}) == 4


# ---------------------------------------------------------------- what requests say


def test_the_same_seed_gives_the_same_bytes_everywhere() -> None:
    plan = plan_of(scenario())
    bodies = [chat_body(ENDPOINT, plan.request(index)) for index in range(100)]
    assert sha256(b"\n".join(bodies)).hexdigest() == GOLDEN


def test_requests_are_of_the_class_they_name_and_as_long_as_it_asks() -> None:
    plan = plan_of(scenario())
    asked = [plan.request(index) for index in range(40)]
    assert [each.index for each in asked] == list(range(40))
    lengths = {(each.part, each.input_tokens, each.output_tokens) for each in asked}
    assert lengths == {(Part("chat"), 20, 10), (Part("rag"), 40, 512), (Part("long"), 90, 90)}


def test_no_two_classes_and_no_two_seeds_have_a_prompt_in_common() -> None:
    plan = plan_of(scenario(rag="synthetic: {input_tokens: 20, unique: false}"))
    said = [plan.request(index).prompt for index in range(300)]
    assert len(set(said)) == len(said)
    assert not prompts(scenario()) & prompts(scenario(seed=43))
    assert not prompts(scenario()) & prompts(scenario(), run="b")


def test_workers_ask_what_one_would_ask() -> None:
    plan = plan_of(scenario())
    parts = [pickle.loads(pickle.dumps(plan.of_shard(Shard(number, 3, 4)))) for number in range(3)]
    for number, part in enumerate(parts):
        for index in (number, 4 + number, 8 + number):
            assert part.request(index) == plan.request(index)


# ---------------------------------------------------------------- classes with files


def rows_file(folder: Path, rows: int) -> str:
    (folder / "rows.jsonl").write_text("".join(json.dumps(f"What of {row}?") + "\n" for row in range(rows)))
    return "file: {path: rows.jsonl, format: prompts, output_tokens: 5}"


def test_a_class_sends_each_row_of_its_file_once(tmp_path: Path) -> None:
    found = scenario(tmp_path, rag=rows_file(tmp_path, 100))
    needed = rows_needed(found, "rag")
    assert needed is not None
    assert needed <= 100
    check_rows(found)
    said: list[str] = []
    for step, level in ((0, 2.0), (1, 4.0)):
        for number in range(2):
            look = Look(Step(step, "concurrency", level), number, 20)
            plan = plan_of(found, look)
            asked = [plan.request(index) for index in range(20 + 8 + int(level))]
            said += [each.prompt for each in asked if each.part.traffic_class == "rag"]
    assert len(said) == len(set(said)) <= needed


def test_a_stored_mixture_reads_back_without_its_file(tmp_path: Path) -> None:
    found = scenario(tmp_path, rag=rows_file(tmp_path, 100))
    (tmp_path / "rows.jsonl").unlink()
    again = load_resolved(found.document.resolved)
    assert again.workload == found.workload
    assert '"prompts":{"file"' in found.document.resolved


def test_figures_of_the_whole_are_those_of_classes_by_their_shares() -> None:
    workload = scenario().workload
    assert mean_input(workload) == 0.7 * 20 + 0.2 * 40 + 0.1 * 90
    assert mean_output(workload) == 0.7 * 10 + 0.2 * 512 + 0.1 * 90
    assert longest_request(scenario()) == Room(40, 512)
