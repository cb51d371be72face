"""Tokens of answers, counted here: where the server did not tell, and held against what it told."""

from __future__ import annotations

from dataclasses import replace

from llmload.domain import Observation, RequestRecord
from llmload.verdict import Caveat
from llmload.workload.tokens import TokenCounter

DISAGREEMENT = 0.10


def count_answers(observation: Observation, counter: TokenCounter) -> Observation:
    """The same window with a count, and its source, for every answer whose text was kept and whose tokens the server
    did not tell; and with a caveat where the two counts of the same answers differ by more than 10 %.
    """
    records = tuple(_counted(record, counter) for record in observation.records)
    found = _disagreement(observation, counter)
    return replace(observation, records=records, caveats=observation.caveats + ((found,) if found else ()))


def _counted(record: RequestRecord, counter: TokenCounter) -> RequestRecord:
    if record.text is None or record.output_tokens is not None:
        return record
    return replace(record, output_tokens=counter.count(record.text), token_source=counter.source)


def _disagreement(observation: Observation, counter: TokenCounter) -> Caveat | None:
    """Only a vocabulary that is the model's own can contradict the server."""
    if not counter.is_of_model:
        return None
    both = [(record.text, record.output_tokens) for record in observation.records if record.text]
    pairs = [(told, counter.count(text)) for text, told in both if told]
    told, counted = sum(told for told, _ in pairs), sum(here for _, here in pairs)
    if not told or abs(counted - told) <= DISAGREEMENT * told:
        return None
    return Caveat(
        rule="token counts agree",
        figure=f"in {len(pairs)} answers the server told {told} tokens, {counter.name} counts {counted}",
        remedy="Check that the tokenizer belongs to the model, and that no text is hidden from the stream",
        kind="TokensDisagree",
    )
