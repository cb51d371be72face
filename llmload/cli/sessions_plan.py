"""What `plan` tells of conversations: their turns, the thought between them, and how far prompts grow."""

from __future__ import annotations

from collections.abc import Iterator

from llmload.analysis.conversations import SessionForecast
from llmload.planned import Room
from llmload.scenario.asked import Scenario
from llmload.units import format_duration
from llmload.workload.planning import longest_request


def as_text(scenario: Scenario, sessions: SessionForecast) -> Iterator[str]:
    """Its lines."""
    thought = f"{format_duration(round(sessions.think_s, 3))} of thought" if sessions.think_s else "no thought"
    yield f"    conversations of {sessions.turns:.3g} turns, with {thought} between two, on average"
    first, last = sessions.first_input_tokens, sessions.last_input_tokens
    if first is not None and last is not None:
        longest = longest_request(scenario)
        bound = f", {longest.input_tokens:,} at most" if isinstance(longest, Room) else ""
        yield f"    prompts grow from about {first:,.0f} tokens to {last:,.0f} at the last turn{bound}"
