"""Shared prefixes: groups as popular as Zipf has it, and prompts of a group alike as far as its prefix goes."""

from __future__ import annotations

import math
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.planned import Look, PlannedRequest, Step
from llmload.scenario.lengths import Fixed, Uniform
from llmload.scenario.traffic import Evenly, Mixture, Sessions, SharedPrefix, Synthetic, TrafficClass
from llmload.workload.plan import Plan
from llmload.workload.planning import plan_look
from llmload.workload.session_plan import SessionPlan
from llmload.workload.shared_prefix import expected_first_meetings, group_of, popularity, prefix_text
from llmload.workload.words import WORDS
from tests.analysis.builders import scenario
from tests.workload.test_plan import PLAN, bytes_of

PREFIX = SharedPrefix(tokens=160, groups=8, zipf=1.0)
SHARING = replace(PLAN, prefix=PREFIX)
WINDOW = bytes(range(32))
DRAWN = 20_000


def by_group(plan: Plan, requests: int = 400) -> dict[int, list[PlannedRequest]]:
    found: dict[int, list[PlannedRequest]] = defaultdict(list)
    for index in range(requests):
        request = plan.request(index)
        assert request.part.group is not None
        found[request.part.group].append(request)
    return found


def prefix_of(request: PlannedRequest, words: int = 160) -> tuple[str, ...]:
    return tuple(request.prompt.split(" ")[:words])


def test_the_bytes_of_a_plan_with_prefixes_are_those_of_every_version_and_machine() -> None:
    """Written down when they were made; if they change, stored runs can no longer be compared with new ones."""
    assert bytes_of(SHARING) == "e44b4b58201a795dde219ad4cc1509fa8e0907fbcc1bf40c438343a52f5b1b8e"


def test_the_same_plan_gives_the_same_bytes_and_groups_in_another_process() -> None:
    code = (
        "from tests.workload.test_shared_prefix import SHARING, bytes_of;"
        "print(bytes_of(SHARING), [SHARING.request(i).part.group for i in range(50)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONHASHSEED": "1"}, check=True
    )
    here = f"{bytes_of(SHARING)} {[SHARING.request(index).part.group for index in range(50)]}"
    assert done.stdout.strip() == here


@pytest.mark.parametrize("zipf", [0.0, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("groups", [1, 2, 8, 100])
def test_groups_are_asked_as_often_as_the_formula_of_zipf_says(groups: int, zipf: float) -> None:
    """Pearson's chi-square over groups that are expected five times: its mean is k - 1, its variance 2 (k - 1)."""
    prefix = SharedPrefix(1, groups, zipf)
    counts = Counter(group_of(prefix, WINDOW, index) for index in range(DRAWN))
    total = sum(rank**-zipf for rank in range(1, groups + 1))
    expected = {group: DRAWN * (group + 1) ** -zipf / total for group in range(groups)}
    told = [group for group in expected if expected[group] >= 5]
    chi_square = sum((counts[group] - expected[group]) ** 2 / expected[group] for group in told)
    assert set(counts) <= set(range(groups))
    assert chi_square <= len(told) - 1 + 5 * math.sqrt(2 * (len(told) - 1))
    assert popularity(prefix) == pytest.approx([each / DRAWN for each in expected.values()])


@given(groups=st.integers(1, 3000), zipf=st.floats(0, 10), index=st.integers(0, 2**63))
def test_a_group_is_always_one_of_them(groups: int, zipf: float, index: int) -> None:
    assert 0 <= group_of(SharedPrefix(1, groups, zipf), WINDOW, index) < groups


def test_prompts_of_a_group_share_their_prefix_and_no_word_more() -> None:
    for requests in by_group(SHARING).values():
        assert len({prefix_of(request) for request in requests}) == 1
        openings = {tuple(request.prompt.split(" ")[160:163]) for request in requests}
        assert len(openings) == len(requests)


def test_prefixes_of_two_groups_part_within_three_words() -> None:
    openings = {tuple(prefix_text(WINDOW, group, 160).split(" ")[:3]) for group in range(5000)}
    assert len(openings) == 5000


def test_a_prefix_stays_the_same_at_every_step_and_look_of_a_run() -> None:
    ours, theirs = by_group(SHARING), by_group(replace(SHARING, step=3, look=2))
    assert {group: prefix_of(found[0]) for group, found in ours.items()} == {
        group: prefix_of(found[0]) for group, found in theirs.items()
    }
    assert {each.prompt for found in ours.values() for each in found}.isdisjoint(
        each.prompt for found in theirs.values() for each in found
    )


def test_another_run_has_other_prefixes_of_the_same_groups_and_lengths() -> None:
    again = replace(SHARING, run="another")
    for index in range(100):
        before, after = SHARING.request(index), again.request(index)
        assert before.part == after.part
        assert (before.input_tokens, before.output_tokens) == (after.input_tokens, after.output_tokens)
        assert prefix_of(before)[:3] != prefix_of(after)[:3]


def test_another_seed_has_no_prompt_and_no_prefix_in_common() -> None:
    ours, theirs = by_group(SHARING), by_group(replace(SHARING, seed=43))
    assert {prefix_of(found[0], 3) for found in ours.values()}.isdisjoint(
        prefix_of(found[0], 3) for found in theirs.values()
    )
    assert {each.prompt for found in ours.values() for each in found}.isdisjoint(
        each.prompt for found in theirs.values() for each in found
    )


def test_without_unique_the_own_part_has_no_salt_and_the_prefix_is_shared_all_the_same() -> None:
    plain = by_group(replace(SHARING, unique=False))
    for group, requests in by_group(SHARING).items():
        assert prefix_of(requests[0]) == prefix_of(plain[group][0])
        assert requests[0].prompt != plain[group][0].prompt
        assert len({request.prompt for request in plain[group]}) > 0.9 * len(requests)  # cut at one of 8192 words


@given(
    tokens=st.integers(1, 20_000),
    own=st.integers(1, 20_000),
    template=st.floats(0, 50),
    per_word=st.floats(0.8, 4),
    index=st.integers(0, 2**40),
    unique=st.booleans(),
)
def test_a_prompt_with_its_prefix_has_the_words_that_the_fit_wants(
    tokens: int, own: int, template: float, per_word: float, index: int, unique: bool
) -> None:
    fit = replace(PLAN.fit, template=template, per_word=per_word)
    plan = replace(SHARING, input_tokens=Fixed(tokens + own), fit=fit, unique=unique, prefix=SharedPrefix(tokens, 3, 1))
    request = plan.request(index)
    words = request.prompt.split(" ")
    assert set(words) <= set(WORDS)
    assert request.input_tokens == tokens + own
    assert len(words) == 1 or abs(template + per_word * len(words) - (tokens + own)) <= per_word


def test_lengths_are_drawn_for_the_whole_prompt_and_answers_as_without_a_prefix() -> None:
    plan = replace(SHARING, input_tokens=Uniform(200, 400))
    bare = replace(plan, prefix=None)
    for index in range(100):
        one, other = plan.request(index), bare.request(index)
        assert (one.input_tokens, one.output_tokens) == (other.input_tokens, other.output_tokens)
        assert one.prompt.count(" ") == other.prompt.count(" ")


@pytest.mark.parametrize(("before", "requests"), [(0, 1), (0, 50), (8, 200), (100, 40)])
def test_first_meetings_are_as_many_as_come_about(before: int, requests: int) -> None:
    met = []
    for seed in range(300):
        groups = [group_of(PREFIX, seed.to_bytes(32), index) for index in range(before + requests)]
        met.append(len(set(groups)) - len(set(groups[:before])))
    assert mean(met) == pytest.approx(expected_first_meetings(PREFIX, before, requests), abs=0.3)


def test_the_first_message_of_a_conversation_has_the_prefix_of_its_group() -> None:
    plan = SessionPlan(SHARING, Sessions(Fixed(3), Evenly(0, 0), Fixed(20)), slots=4)
    for index in range(20):
        session, opening = plan.session(index), SHARING.request(index)
        first, *later = [str(turn.messages[0]["content"]) for turn in session.turns]
        assert first == opening.prompt
        assert session.part == opening.part._replace(session=index)
        assert all(prefix_of(opening, 3) != tuple(text.split(" ")[:3]) for text in later)


def test_classes_of_a_mixture_have_prefixes_of_their_own() -> None:
    prompts = Synthetic(Fixed(256), Fixed(8), unique=True, shared_prefix=PREFIX)
    bare = replace(prompts, shared_prefix=None)
    shares = {"rag": (0.4, prompts), "agent": (0.4, prompts), "chat": (0.2, bare)}
    mixture = Mixture(tuple(TrafficClass(name, share, asked, None) for name, (share, asked) in shares.items()))
    asked = replace(scenario(), workload=replace(scenario().workload, prompts=mixture))
    plan = plan_look(asked, Look(Step(0, "concurrency", 8), 0, 200), PLAN.fit)
    found: dict[tuple[str | None, int | None], set[tuple[str, ...]]] = defaultdict(set)
    for index in range(200):
        request = plan.request(index)
        found[request.part.traffic_class, request.part.group].add(prefix_of(request, 100))
    groups = {of: prefixes for of, prefixes in found.items() if of[0] != "chat"}
    assert {group for name, group in found if name == "chat"} == {None}
    assert all(len(prefixes) == 1 for prefixes in groups.values())
    assert len(set().union(*groups.values())) == len(groups)
