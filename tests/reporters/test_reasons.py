"""Sentences of the analysis, told in the language of a report."""

from __future__ import annotations

import pytest

from llmload.reporters.reasons import in_language
from llmload.reporters.texts import Language, texts_in

KOREAN = texts_in(Language.KO)


@pytest.mark.parametrize(
    ("english", "korean"),
    [
        pytest.param(
            "p95(ttft) was 480ms, 970 of 1,000 requests within 500ms (97%);"
            " at 95% confidence at least 96% are, 95% wanted",
            "p95(ttft) 480ms, 요청 1,000건 중 970건 500ms 이내 (97%); 신뢰도 95%에서 최소 96%, 목표 95%",
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
            "could not measure: the server could not be used: http://host:8000: cannot connect (refused: at once)",
            "측정 불가: 서버를 사용할 수 없음: http://host:8000: 연결할 수 없음 (refused: at once)",
            id="the words of a server stay",
        ),
        pytest.param(
            "the baseline b.json at abc was measured under other conditions: gpu unknown, now H100; load.rate 3, now 5",
            "다른 조건에서 측정됨 (기준선 b.json (커밋 abc)): gpu 이전 알 수 없음, 현재 H100; load.rate 이전 3, 현재 5",
            id="every difference of a list",
        ),
        pytest.param("the moon is full", "the moon is full", id="what nobody of us says"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_a_sentence_is_told_in_the_language_with_its_figures(english: str, korean: str) -> None:
    assert in_language(english, KOREAN) == korean
    assert in_language(english, texts_in(Language.EN)) == english
