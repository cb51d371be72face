"""Plans: the same arguments give the same bytes, and every prompt begins with words of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.domain import TokenFit, TokenSource
from llmload.planned import PlannedRequest
from llmload.scenario.lengths import Fixed, Normal
from llmload.workload.plan import Plan
from llmload.workload.prompts import plain_text
from llmload.workload.words import WORDS

PLAN = Plan(
    seed=42,
    step=1,
    look=0,
    input_tokens=Fixed(256),
    output_tokens=Normal(100, 20, 50, 150),
    unique=True,
    fit=TokenFit(10, 1.0, 0.0, TokenSource.USAGE),
    run="20261121-0001",
)


def bytes_of(plan: Plan, requests: int = 300) -> str:
    return sha256(f"[{', '.join(_told(plan.request(index)) for index in range(requests))}]".encode()).hexdigest()


def _told(request: PlannedRequest) -> str:
    """In the words in which the digest was taken first."""
    names = ("index", "prompt", "input_tokens", "output_tokens")
    return f"PlannedRequest({', '.join(f'{name}={getattr(request, name)!r}' for name in names)})"


def test_the_same_plan_gives_the_same_bytes_in_another_process() -> None:
    code = "from tests.workload.test_plan import PLAN, bytes_of; print(bytes_of(PLAN))"
    for seed in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONHASHSEED": seed}, check=True
        )
        assert done.stdout.strip() == bytes_of(PLAN)


def test_the_bytes_of_a_plan_are_those_of_every_version_and_machine() -> None:
    """Written down when the plan was made; if it changes, stored runs can no longer be compared with new ones."""
    assert bytes_of(PLAN) == "306c035096dc13af2e4b92959cc490091da55e057f2da796a8adf8721d21cf3e"


@pytest.mark.parametrize("other", [{"seed": 43}, {"step": 2}, {"look": 1}], ids=str)
def test_another_seed_step_or_look_gives_other_words_and_lengths(other: dict[str, int]) -> None:
    changed = replace(PLAN, **other)  # type: ignore[arg-type]  # each value suits its field
    assert {changed.request(index).prompt for index in range(100)}.isdisjoint(
        PLAN.request(index).prompt for index in range(100)
    )
    assert [changed.request(index).output_tokens for index in range(100)] != [
        PLAN.request(index).output_tokens for index in range(100)
    ]


def test_another_run_changes_the_salt_and_nothing_else() -> None:
    again = replace(PLAN, run="20261121-0002")
    for index in range(50):
        before, after = PLAN.request(index), again.request(index)
        assert (before.input_tokens, before.output_tokens) == (after.input_tokens, after.output_tokens)
        assert before.prompt.split()[6:] == after.prompt.split()[6:]
        assert before.prompt.split()[:6] != after.prompt.split()[:6]


def test_no_two_prompts_of_a_window_share_more_than_three_first_words() -> None:
    openings = {tuple(PLAN.request(index).prompt.split()[:3]) for index in range(20_000)}
    assert len(openings) == 20_000


def test_prompts_of_different_runs_hardly_ever_share_first_words() -> None:
    again = replace(PLAN, run="20261121-0002")
    mine = {tuple(PLAN.request(index).prompt.split()[:4]) for index in range(2000)}
    theirs = {tuple(again.request(index).prompt.split()[:4]) for index in range(2000)}
    assert mine.isdisjoint(theirs)


def test_without_unique_there_is_no_salt() -> None:
    plain = replace(PLAN, unique=False)
    assert plain.request(7).prompt == replace(plain, run="another").request(7).prompt


@pytest.mark.parametrize("words", [1, 8191, 8192, 8193, 16_384, 24_576])
def test_a_prompt_of_whole_rounds_of_the_text_is_no_shorter(words: int) -> None:
    assert len(plain_text(words).split(" ")) == words


@given(
    tokens=st.integers(1, 40_000),
    template=st.floats(0, 50),
    per_word=st.floats(0.8, 4),
    index=st.integers(0, 2**40),
    unique=st.booleans(),
)
def test_a_prompt_has_the_words_that_the_fit_wants(
    tokens: int, template: float, per_word: float, index: int, unique: bool
) -> None:
    fit = TokenFit(template, per_word, 0.0, TokenSource.USAGE)
    request = replace(PLAN, input_tokens=Fixed(tokens), fit=fit, unique=unique).request(index)
    words = request.prompt.split(" ")
    assert set(words) <= set(WORDS)
    assert request.input_tokens == tokens
    assert len(words) == 1 or abs(template + per_word * len(words) - tokens) <= per_word


def test_words_are_words_told_apart() -> None:
    assert len(WORDS) == len(set(WORDS)) == 256  # digits of the salt are bytes
    assert all(word.isascii() and word.isalpha() and word.islower() for word in WORDS)
