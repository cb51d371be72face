"""`spec.workload.sessions`: conversations of several turns."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Discriminator, Field, Tag

from llmload.scenario.document.lengths import Length, LognormalLengths, Spread, UniformLengths
from llmload.scenario.document.quantities import Duration, Patience, Section, wrong
from llmload.units import format_duration

MOST_TURNS = 1000
"""Of one conversation: stores keep the figures of so many turns beside a step."""


DEFAULT_TURNS = 4


def _in_order(bounds: list[float]) -> list[float]:
    if bounds[0] > bounds[1]:
        first, second = (format_duration(bound) for bound in bounds)
        raise wrong(f"the range {first} to {second} runs backwards", f"Write [{second}, {first}]")
    return bounds


class ExponentialTime(Section):
    """Times with an exponential distribution of this mean: most are short, a few long."""

    exponential: Patience


class UniformTime(Section):
    """Times spread evenly from the first to the second."""

    uniform: Annotated[list[Duration], Field(min_length=2, max_length=2), AfterValidator(_in_order)]


def which_time(value: object) -> str:
    """The tag of a think time."""
    if isinstance(value, UniformTime) or (isinstance(value, dict) and "uniform" in value):
        return "time:uniform"
    return "time:exponential" if isinstance(value, ExponentialTime | dict) else "time:fixed"


ThinkTime = Annotated[
    Annotated[Duration, Tag("time:fixed")]
    | Annotated[ExponentialTime, Tag("time:exponential")]
    | Annotated[UniformTime, Tag("time:uniform")],
    Discriminator(which_time),
]


def _check_turns(turns: Length) -> Length:
    match turns:
        case UniformLengths(uniform=[_, most]):
            pass
        case LognormalLengths(lognormal=Spread(longest=most)) | Spread(longest=most):
            pass
        case _:
            most = turns if isinstance(turns, int) else 1
    if most > MOST_TURNS:
        raise wrong(f"{most:,} turns, and a conversation has {MOST_TURNS:,} at most", f"Write {MOST_TURNS} or fewer")
    return turns


class Sessions(Section):
    """Conversations: each request sends all that was said before, the server's answers included."""

    turns: Annotated[
        Annotated[Length, AfterValidator(_check_turns)] | None,
        Field(description="Requests of one conversation, 4 where left out; of a file, the most that a row gives"),
    ] = None
    think_time: Annotated[ThinkTime, Field(description="From the end of an answer to the next request")] = 0.0
    input_tokens: Annotated[
        Length | None, Field(description="Of each message after the first; left out, as the first")
    ] = None
