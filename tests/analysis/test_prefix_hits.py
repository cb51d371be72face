"""Declared hits of shared prefixes against what the server told: which tokens count, and when a finding is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from llmload.analysis.judgement import judge
from llmload.analysis.prefix_hits import hits_of, missed_hits, unchecked_hits
from llmload.domain import Observation, Outcome, Phase, RequestRecord, RunResult
from llmload.planned import Part
from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Language, texts_in
from llmload.scenario.asked import Scenario
from llmload.scenario.lengths import Fixed
from llmload.scenario.traffic import Mixture, SharedPrefix, Synthetic, TrafficClass
from tests.analysis.builders import FACTS, HEADER, paced, scenario, window

PREFIX = SharedPrefix(tokens=60, groups=4, zipf=1.0, hits=0.6)


def sharing(prefix: SharedPrefix | None = PREFIX) -> Scenario:
    """Prompts of 100 tokens, 60 of which are shared."""
    asked = scenario()
    prompts = Synthetic(Fixed(100), Fixed(11), unique=True, shared_prefix=prefix)
    return replace(asked, workload=replace(asked.workload, prompts=prompts))


def told(cached: Sequence[int | None], input_tokens: int | None = 100) -> list[RequestRecord]:
    """One request each, of which the server tells so many cached tokens."""
    records = paced([50.0] * len(cached))
    return [
        replace(record, input_tokens=input_tokens, cached_tokens=tokens)
        for record, tokens in zip(records, cached, strict=True)
    ]


def judged(cached: Sequence[int | None]) -> RunResult:
    return judge(HEADER, sharing(), FACTS, [window(told(cached))], finished=None)


@pytest.mark.parametrize(
    ("records", "share"),
    [
        pytest.param(told([60, 0]), 0.3, id="the mean by tokens"),
        pytest.param([*told([100], 1000), *told([0], 100)], 100 / 1100, id="long prompts weigh more"),
        pytest.param([*told([60]), *told([None])], 0.6, id="what is not told is not 0"),
        pytest.param([*told([60]), *told([30], None)], 0.6, id="no input tokens, no share"),
        pytest.param([*told([60]), replace(told([0])[0], phase=Phase.WARMUP)], 0.6, id="warm-up is not counted"),
        pytest.param([*told([60]), replace(told([0])[0], outcome=Outcome.TIMEOUT)], 0.6, id="only what completed"),
        pytest.param(told([0, 0]), 0.0, id="a server that tells zero"),
        pytest.param(told([None, None]), None, id="a server that tells nothing"),
        pytest.param([], None, id="no request"),
    ],
)
def test_hits_are_cached_over_input_tokens_of_what_completed(records: list[RequestRecord], share: float | None) -> None:
    found = hits_of([window(records)])
    assert (None if found is None else found.share) == (None if share is None else pytest.approx(share))


@pytest.mark.parametrize(
    ("cached", "finds"),
    [
        pytest.param(60, False, id="as declared"),
        pytest.param(56, False, id="4 points fewer"),
        pytest.param(64, False, id="4 points more"),
        pytest.param(54, True, id="6 points fewer"),
        pytest.param(66, True, id="6 points more"),
    ],
)
def test_a_finding_is_made_beyond_5_points_either_way(cached: int, finds: bool) -> None:
    found = [each for each in judged([cached] * 200).findings if each.kind == "prefix_hits"]
    assert [(each.expected, each.actual, each.step) for each in found] == (
        [("60% of input tokens", f"{cached}% of input tokens", "concurrency 8")] if finds else []
    )
    assert all(("first time" in each.cause) == (cached < 60) for each in found)


def test_a_server_that_tells_nothing_is_told_of_and_nothing_is_claimed() -> None:
    run = judged([None] * 200)
    assert [each for each in run.findings if each.kind == "prefix_hits"] == []
    (notice,) = run.notices
    assert notice.startswith("shared_prefix.hits: 60% was not checked, since the server does not tell cached tokens")


def windows_of(cached: int | None) -> tuple[Observation, ...]:
    return (window(told([cached] * 20)),)


@pytest.mark.parametrize(
    "prefix", [pytest.param(None, id="no prefix"), pytest.param(replace(PREFIX, hits=None), id="nothing declared")]
)
def test_what_is_not_declared_is_not_checked(prefix: SharedPrefix | None) -> None:
    for cached in (0, 100, None):
        windows = windows_of(cached)
        assert missed_hits(windows[0].look.step, windows, sharing(prefix)) == ()
        assert unchecked_hits(windows, sharing(prefix)) == ()


@pytest.mark.parametrize(
    ("cached", "is_fatal"),
    [pytest.param(64, False, id="the prefix and a block"), pytest.param(80, True, id="words behind the prefix too")],
)
def test_prompts_that_share_a_prefix_must_not_be_cached_beyond_it(cached: int, is_fatal: bool) -> None:
    (step,) = judged([cached] * 200).steps
    caveats = [each for each in step.caveats if each.kind == "PrefixCacheHit"]
    assert [each.is_fatal for each in caveats] == [True] * is_fatal
    assert all(each.figure.startswith("beyond the shared prefix, ") for each in caveats)


def a_mixture() -> Scenario:
    """Two classes of unique prompts, of which those of `rag` alone share a prefix."""
    shared = Synthetic(Fixed(100), Fixed(11), unique=True, shared_prefix=PREFIX)
    bare = replace(shared, shared_prefix=None)
    mixture = Mixture((TrafficClass("rag", 0.5, shared, None), TrafficClass("chat", 0.5, bare, None)))
    return replace(scenario(), workload=replace(scenario().workload, prompts=mixture))


def test_classes_of_a_mixture_are_held_against_their_own_prefix() -> None:
    """Half of the requests are of each class; those without a prefix are never cached, which is as it should be."""
    cached = {"rag": 40, "chat": 0}
    records = [
        replace(record, cached_tokens=cached[name], part=Part(traffic_class=name))
        for name, record in zip(["rag", "chat"] * 100, told([0] * 200), strict=True)
    ]
    run = judge(HEADER, a_mixture(), FACTS, [window(records)], finished=None)
    assert [(each.subject, each.actual) for each in run.findings if each.kind == "prefix_hits"] == [
        ("prefix-cache hits of rag", "40% of input tokens")
    ]
    assert [each for step in run.steps for each in step.caveats if each.kind == "PrefixCacheHit"] == []


def test_a_class_without_a_prefix_must_not_be_cached_at_all() -> None:
    records = [replace(record, part=Part(traffic_class="chat")) for record in told([60] * 200)]
    (step,) = judge(HEADER, a_mixture(), FACTS, [window(records)], finished=None).steps
    assert [each.kind for each in step.caveats if each.is_fatal] == ["PrefixCacheHit"]


@pytest.mark.parametrize("cached", [0, 80, None])
def test_korean_reports_have_words_for_all_of_it(cached: int | None) -> None:
    run, korean = judged([cached] * 200), texts_in(Language.KO)
    said = [text for each in run.findings for text in (each.subject, each.expected, *each.cause.split("; "))]
    said += [*run.notices, *(each.figure for step in run.steps for each in step.caveats)]
    assert said
    assert all(in_language(text, korean) != text for text in said)
