"""Answers whose tokens the server did not count, and answers that two counted differently."""

from __future__ import annotations

from array import array

from llmload.domain import Ending, Observation, Outcome, Phase, RequestRecord, TokenSource
from llmload.planned import Look, Step
from llmload.workload.counting import count_answers
from llmload.workload.tokens import TokenCounter

BY_WORD = TokenCounter(lambda text: len(text.split()), TokenSource.TOKENIZER, "tokenizer.json", is_of_model=True)
BORROWED = TokenCounter(BY_WORD.count, TokenSource.TIKTOKEN, "cl100k_base", is_of_model=False)


def observed(*answers: tuple[str | None, int | None]) -> Observation:
    records = tuple(
        RequestRecord(
            seq=seq,
            look=0,
            phase=Phase.MEASURED,
            outcome=Outcome.OK,
            due_ns=0,
            sent_ns=0,
            done_ns=9,
            event_ns=array("q", [5]),
            asked_input_tokens=8,
            asked_output_tokens=8,
            output_tokens=told,
            token_source=None if told is None else TokenSource.USAGE,
            text=text,
        )
        for seq, (text, told) in enumerate(answers)
    )
    return Observation(Look(Step(0, "concurrency", 1), 0, 1), records, 0, 10, Ending.COMPLETE, array("q"))


def test_only_what_the_server_did_not_count_is_counted_here() -> None:
    counted = count_answers(observed(("a b c", None), ("a b c", 3), (None, None), ("", None)), BORROWED)
    assert [(record.output_tokens, record.token_source) for record in counted.records] == [
        (3, TokenSource.TIKTOKEN),
        (3, TokenSource.USAGE),
        (None, None),
        (0, TokenSource.TIKTOKEN),
    ]


def test_a_tenth_of_disagreement_is_borne_and_more_is_told() -> None:
    words = " ".join("w" * 10 for _ in range(9))
    assert count_answers(observed((words, 10)), BY_WORD).caveats == ()
    (caveat,) = count_answers(observed((words, 11)), BY_WORD).caveats
    assert caveat.figure == "in 1 answers the server told 11 tokens, tokenizer.json counts 9"
    assert not caveat.is_fatal


def test_a_vocabulary_that_is_not_the_models_contradicts_nobody() -> None:
    assert count_answers(observed(("one two", 100)), BORROWED).caveats == ()
