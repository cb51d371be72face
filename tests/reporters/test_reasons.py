"""Sentences of the analysis, told in the language of a report: which, how truly, and at what cost."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmload.planned import Step
from llmload.reporters import reasons
from llmload.reporters.reasons import LONGEST, Template, catalogue_in, in_language, template_of
from llmload.reporters.texts import Language, texts_in
from llmload.reporters.wording import step_label
from llmload.verdict import Status

ENGLISH, KOREAN = texts_in(Language.EN), texts_in(Language.KO)
TRANSLATED = [language for language in Language if language is not Language.EN]


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        pytest.param(
            "p95(ttft) was 480ms, 970 of 1,000 requests within 500ms (97%);"
            " at 95% confidence at least 96% are, 95% wanted",
            "p95(ttft) 480ms, 요청 1,000건 중 970건 500ms 이내 (97%); 신뢰수준 95%에서 최소 96%, 목표 95%",
            id="the reason of a percentile gate",
        ),
        pytest.param(
            "goodput >= 95% at concurrency <= 32 at concurrency 8: 900 of 1,000 requests good (90%);"
            " not good: 30 over ttft 500ms, 70 failed (and 3 more)",
            "goodput >= 95% at concurrency <= 32 (동시성 8): 요청 1,000건 중 900건 양호 (90%);"
            " 미달 내역: ttft 500ms 초과 30건, 실패 70건 (외 3건)",
            id="the reason of a run names the gate as its author wrote it",
        ),
        pytest.param(
            "p50(tpot) was never reached, the one baseline run had 9.1ms; at most 5% allowed; advisory: 1 of 8 runs,"
            " and one does not tell how far runs lie apart",
            "p50(tpot) 도달하지 못함, 기준선 실행 1회는 9.1ms; 최대 5% 허용; 참고용: 필요한 실행 8회 중 1회이며,"
            " 하나로는 실행 간 차이를 알 수 없음",
            id="a figure in words",
        ),
        pytest.param(
            "could not measure: the server could not be used: http://host:8000: cannot connect (refused: at once)",
            "측정 불가: 서버를 사용할 수 없음: http://host:8000: 연결할 수 없음 (refused: at once)",
            id="the words of a server stay",
        ),
        pytest.param(
            "the baseline b.json at abc was measured under other conditions: gpu unknown, now H100; load.rate 3, now 5",
            "측정 조건이 다름 (커밋 abc의 기준선 b.json): gpu 당시 알 수 없음, 현재 H100; load.rate 당시 3, 현재 5",
            id="every difference of a list",
        ),
        pytest.param(
            "Pair 3 stands out from all others: see what disturbed it. Raise decision.repeats",
            "3번째 쌍이 나머지와 크게 다릅니다. 무엇이 방해했는지 확인하세요. decision.repeats 값을 늘리세요",
            id="two remedies",
        ),
        pytest.param(
            "Every gate holds; the moon is full",
            "모든 게이트를 지켰습니다; the moon is full",
            id="a stranger beside us",
        ),
        pytest.param("the moon is full", "the moon is full", id="what none of us says"),
        pytest.param("Every gate holds!", "Every gate holds!", id="nearly one of ours"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_sentence_is_told_in_the_language_with_its_figures(english: str, korean: str) -> None:
    assert in_language(english, KOREAN) == korean
    assert in_language(english, ENGLISH) == english


# ---------------------------------------------------------------- every template


def _templates(language: Language) -> list[tuple[str, Template]]:
    return [(table, each) for table, grammar in catalogue_in(language).items() for each in grammar.templates]


def _number(chance: random.Random) -> str:
    return chance.choice(
        [str(chance.randrange(10_000)), f"{chance.randrange(10**7):,}", f"{chance.uniform(0, 99):.2f}"]
    )


def _gate(chance: random.Random) -> str:
    promise = chance.choice([f"<= {_number(chance)}ms", f"within {_number(chance)}% of baseline, floor 1ms"])
    return (
        f"p{chance.choice((50, 99))}(tpot) {promise}{chance.choice(['', ' at concurrency <= 8', ' at rate >= 2.5/s'])}"
    )


MADE: dict[str, Callable[[random.Random], str]] = {
    "number": _number,
    "percent": lambda chance: f"{_number(chance)}%",
    "value": lambda chance: _number(chance) + chance.choice(["ms", "s", "us", "m", "h", "%", "/s", " tok/s"]),
    "figure": lambda chance: chance.choice(["p95(ttft)", "max(itl_max)", "goodput", "output_tps", "error_rate"]),
    "step": lambda chance: chance.choice(["concurrency 8", "rate 2.5/s", "speed 10"]),
    "gate": _gate,
    "worker": lambda chance: f"worker {chance.randrange(99)}{chance.choice(['', ' on node-1'])}",
    "word": lambda chance: chance.choice(["ttft", "dead_server", "reports/a.b", "/v1/models", "01JZK3V9Q8"]),
    "url": lambda chance: f"http://h{chance.randrange(99)}:8000/v1",
}
"""Texts of each kind that has a shape; of any other kind is a word that nobody of us says.

No gate here is of exactly one step: it reads like a gate of all steps that is told at this one.
"""


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)(:\w+)?\}", lambda place: values[place[1]], text)


@pytest.mark.parametrize("language", TRANSLATED)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_template_takes_its_figures_over_unchanged(language: Language, seed: int) -> None:
    chance = random.Random(seed)
    for table, template in _templates(language):
        values = {
            name: MADE.get(kind, lambda _: f"zq{chance.randrange(10**6)}")(chance)
            for name, kind in template.kinds.items()
        }
        english = _filled(template.english.replace("(s)", chance.choice(["s", ""])), values)
        grammar = catalogue_in(language)[table]
        first = next(each for each in grammar.candidates(english) if each.pattern.match(english))
        found = first.pattern.match(english)
        assert found is not None
        assert (first.english, found.groupdict()) == (template.english, values), "another template goes first"
        if table == "sentence":
            told = {name: _told(template.kinds[name], value, language) for name, value in values.items()}
            assert in_language(english, texts_in(language)) == _filled(template.told, told)


def _told(kind: str, value: str, language: Language) -> str:
    """Steps and workers are told in the language too."""
    tables = catalogue_in(language)
    found = [(each, each.pattern.match(value)) for each in (tables[kind].templates if kind in tables else ())]
    return next((_filled(each.told, match.groupdict()) for each, match in found if match), value)


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_kind_of_a_placeholder_is_a_shape_or_a_table(language: Language) -> None:
    known = {*MADE, "text", *catalogue_in(language)}
    assert {kind for _, each in _templates(language) for kind in each.kinds.values()} <= known


def test_a_pair_with_different_placeholders_is_refused() -> None:
    with pytest.raises(ValueError, match="different placeholders"):
        template_of("{count:number} of {all:number}", "{count}")


@pytest.mark.parametrize("step", [Step(0, "concurrency", 50.0), Step(0, "rate", 2.5), Step(0, "speed", 10.0)])
@pytest.mark.parametrize("language", TRANSLATED)
def test_steps_and_statuses_are_told_in_the_words_of_the_report(language: Language, step: Step) -> None:
    texts = texts_in(language)
    assert in_language(step.label, texts) == step_label(step, texts)
    assert in_language(f"none of 2 requests at {step.label} succeeded", texts).startswith(step_label(step, texts))
    for status in Status:
        if status is not Status.NOT_GATED:
            told = in_language(
                f"1 of 2 verdicts only advisory, at worst {status}: goodput >= 9% at {step.label}", texts
            )
            assert texts[f"status.{status.value}"] in told


# ---------------------------------------------------------------- what it costs

_HOSTILE = [
    *("; ", ". ", ": ", ", ", " ", "1", "1,", "a; b: c. ", " (and ", "was ", "could not measure: ", "http://a: "),
    *(
        "goodput >= 1 at concurrency 1: ",
        "p95(ttft) was 1ms, ",
        "Else: ",
        " in the baseline at ",
        "`",
        "{x:word}",
        "\n",
    ),
    *(" measured under other conditions: ", "1 of 1 requests good (1%); ", "(" * 9, "at concurrency "),
]


def _seconds(text: str) -> float:
    """The best of three, as the machine may be busy."""
    taken = []
    for _ in range(3):
        reasons._told.cache_clear()
        began = time.process_time()
        in_language(text, KOREAN)
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize("piece", _HOSTILE)
def test_no_text_of_any_size_takes_long(piece: str) -> None:
    catalogue_in(Language.KO)
    assert _seconds(piece * (1_000_000 // len(piece))) < 0.05
    assert _seconds((piece * LONGEST)[:LONGEST]) < 0.05
    assert in_language(piece * LONGEST, KOREAN) == piece * LONGEST


def test_all_texts_of_a_large_run_take_less_than_50_ms() -> None:
    """20 steps of 10 gates, no two with the same figures."""
    texts = [
        f"p95(ttft) was {400 + gate}.{step}ms, {900 + gate} of 1,{step:03} requests within 500ms (9{gate}.1{step}%);"
        f" at 99.{step}% confidence between 9{gate}.2% and 97.{step}% are, 95% wanted; not good: {step} over ttft 500ms"
        for step in range(20)
        for gate in range(10)
    ]
    texts += [f"Measure at least {n} requests in one window at concurrency {n} (load.requests)" for n in range(200)]
    catalogue_in(Language.KO)  # read once by a process
    reasons._told.cache_clear()
    began = time.process_time()
    told = [in_language(text, KOREAN) for text in texts]
    assert time.process_time() - began < 0.05
    assert len(set(told)) == len(texts)
