"""Figures as a person reads them."""

from __future__ import annotations

import math

import pytest

from llmload.analysis.wording import milliseconds


@pytest.mark.parametrize(
    ("value_ms", "words"),
    [(13.8, "13.8ms"), (0.0123456, "12.35us"), (1294.49, "1.294s"), (0.0, "0s"), (math.inf, "never reached")],
)
def test_a_latency_has_four_digits_and_no_more(value_ms: float, words: str) -> None:
    assert milliseconds(value_ms) == words
