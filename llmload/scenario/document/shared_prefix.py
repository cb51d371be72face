"""`prompts.synthetic.shared_prefix`: words that prompts of one group begin with, and what a cache should make of it."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le
from pydantic import Field

from llmload.scenario.document.lengths import Length, LengthFile, LognormalLengths, Spread, UniformLengths
from llmload.scenario.document.quantities import Section, Share, Whole, wrong


class SharedPrefix(Section):
    """The first tokens of a prompt, which are the same in all prompts of its group; with 0 tokens nothing is shared."""

    tokens: Annotated[Whole, Field(description="Of each prompt, and counted in its input_tokens")] = 0
    groups: Annotated[int, Ge(1), Le(100_000), Field(description="How many prefixes there are")] = 1
    zipf: Annotated[
        float, Ge(0), Le(10), Field(description="Exponent of the groups' popularity; 0 asks them all alike")
    ] = 1.0
    hits: Annotated[
        Share | None,
        Field(description="Share of all input tokens that the server should take from its cache; reports compare it"),
    ] = None


def check_room(prefix: SharedPrefix, length: Length | LengthFile, at: str) -> None:
    """Refuse, in the field `at`, prompts that can be too short for words of their own behind their prefix."""
    if isinstance(length, LengthFile):
        message, hint = (
            "rows of measured lengths may be shorter than the prefix",
            "Write input_tokens with a min instead",
        )
        raise wrong(message, hint, "shared_prefix")
    least = shortest(length)
    if least <= prefix.tokens:
        message = f"prompts of {least} tokens have no room for a prefix of {prefix.tokens} and words of their own"
        hint = "input_tokens counts the whole prompt: write a longer one (min, of a distribution), or a shorter prefix"
        raise wrong(message, hint, at)


def shortest(length: Length) -> int:
    """The fewest tokens that can be drawn."""
    match length:
        case int():
            return length
        case UniformLengths(uniform=[low, _]):
            return low
        case LognormalLengths(lognormal=spread) | (Spread() as spread):
            return spread.min
        case _:
            raise AssertionError(f"a length of no known kind: {type(length).__name__}")
