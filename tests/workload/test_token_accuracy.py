"""Ways of counting against the server's own count, by hand."""

from __future__ import annotations

from array import array
from dataclasses import replace

import pytest

from llmload.domain import Outcome, Phase, RequestRecord, TokenSource
from llmload.workload.token_accuracy import TokenAccuracy, accuracy_of
from llmload.workload.tokens import ESTIMATE, TokenCounter

WORDS = TokenCounter(lambda text: len(text.split()), TokenSource.TOKENIZER, "tokenizer.json", is_of_model=True)
ANSWER = RequestRecord(
    seq=0,
    look=0,
    phase=Phase.MEASURED,
    outcome=Outcome.OK,
    due_ns=0,
    sent_ns=0,
    done_ns=9,
    event_ns=array("q", [5]),
    asked_input_tokens=5,
    asked_output_tokens=5,
    output_tokens=4,
    token_source=TokenSource.USAGE,
    text="a b c",
)


def test_errors_are_shares_of_what_the_server_told() -> None:
    records = [ANSWER, replace(ANSWER, output_tokens=2), replace(ANSWER, output_tokens=3)]
    found = accuracy_of(records, [WORDS, ESTIMATE])
    assert found[0] == TokenAccuracy(
        TokenSource.TOKENIZER,
        "tokenizer.json",
        is_of_model=True,
        answers=3,
        mean_error=pytest.approx((0.25 + 0.5 + 0) / 3),
        worst_error=0.5,
        bias=0.0,
    )
    assert (found[1].source, found[1].worst_error) == (TokenSource.ESTIMATE, -0.5)  # five characters make two tokens
    assert found[1].bias == pytest.approx(6 / 9 - 1)


@pytest.mark.parametrize(
    "record",
    [
        pytest.param(replace(ANSWER, text=None), id="no text was kept"),
        pytest.param(replace(ANSWER, text=""), id="an empty answer"),
        pytest.param(replace(ANSWER, output_tokens=None, token_source=None), id="no count"),
        pytest.param(replace(ANSWER, token_source=TokenSource.TIKTOKEN), id="a count of our own"),
        pytest.param(replace(ANSWER, outcome=Outcome.TIMEOUT), id="an answer that was cut off"),
        pytest.param(replace(ANSWER, call_events=1), id="a call of a tool"),
    ],
)
def test_what_cannot_be_compared_is_left_out(record: RequestRecord) -> None:
    assert accuracy_of([record], [WORDS]) == ()
    assert [each.answers for each in accuracy_of([record, ANSWER], [WORDS])] == [1]
