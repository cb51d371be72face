"""Conversations: what their users say, when, and how many turns each has, all known before the first byte is sent.

What the server answers is not: the load puts its answers between these messages as they come.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import assert_never

from llmload.planned import PlannedRequest, PlannedSession, PlannedTurn
from llmload.scenario.traffic import Evenly, Exponential, Sessions, ThinkTime
from llmload.workload.lengths import draw, longest
from llmload.workload.plan import Plan, window_key
from llmload.workload.prompts import plain_text
from llmload.workload.shard import Shard

_PLACE, _NUMBERS = struct.Struct("<2Q"), struct.Struct("<8Q")
_ONE = 2.0**-64
_GOLDEN, _SQUARE = (math.sqrt(5) - 1) / 2, math.sqrt(2) - 1
"""Multiples of either, without their whole parts, lie evenly between 0 and 1 however many are taken (Kronecker)."""


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """The conversations of one look at one step, as a function of their index.

    Same arguments, same words, on any machine. The first message is a request of `openings`, with all that it may
    begin with; later ones are words of their own. `slots` conversations go on at a time.
    """

    openings: Plan
    sessions: Sessions
    slots: int

    def session(self, index: int) -> PlannedSession:
        """The `index`-th conversation of the window, in order of their beginning.

        One slot's first is cut to a share of its turns, another one's to another share: slots that began together
        would go from turn to turn together, and what is measured would depend on when.
        """
        opening = self.openings.request(index)
        _, first, second, *_ = self._draws(index, 0)
        turns = draw(self.sessions.turns, first, second)
        if index < self.slots:
            turns = first_turns(index, turns)
        begun = PlannedTurn(tuple(opening.conversation), opening.input_tokens, opening.output_tokens)
        later = (self._turn(index, turn) for turn in range(1, turns))
        return PlannedSession((begun, *later), opening.part._replace(session=index))

    def delay_s(self, slot: int) -> float:
        """How long after the beginning of the load a slot's first conversation begins: evenly within a think time."""
        return first_delay_s(slot, self.sessions.think_time)

    def request(self, index: int) -> PlannedRequest:
        """The request that begins the `index`-th conversation."""
        request = self.openings.request(index)
        return replace(request, part=request.part._replace(session=index, turn=0))

    @property
    def turns(self) -> int:
        """Most turns of a conversation."""
        return longest(self.sessions.turns)

    def of_shard(self, _shard: Shard) -> SessionPlan:
        """What one worker needs of it: all of it, which is little."""
        return self

    def _turn(self, index: int, turn: int) -> PlannedTurn:
        place, first, second, third, fourth, fifth = self._draws(index, turn)
        openings, own = self.openings, self.sessions.input_tokens
        if openings.pairs is not None:
            asked, answer = openings.pairs.draw(third)
        else:
            asked, answer = draw(openings.input_tokens, first, second), draw(openings.output_tokens, third, fourth)
        words = max(1, round((asked if own is None else draw(own, first, second)) / openings.fit.per_word))
        message = {"role": "user", "content": plain_text(words, place)}
        return PlannedTurn((message,), None, answer, think_seconds(self.sessions.think_time, fifth))

    def _draws(self, index: int, turn: int) -> tuple[int, float, float, float, float, float]:
        openings = self.openings
        return turn_draws(window_key(openings.seed, openings.step, openings.look), index, turn)


def turn_draws(key: bytes, index: int, turn: int) -> tuple[int, float, float, float, float, float]:
    """A number of 64 bits, and five that are independent and uniform in (0, 1], for one turn of a window."""
    drawn = blake2b(_PLACE.pack(index, turn), key=key, person=b"sessions", digest_size=64).digest()
    place, *numbers = _NUMBERS.unpack(drawn)
    first, second, third, fourth, fifth, *_ = ((number + 1) * _ONE for number in numbers)
    return place, first, second, third, fourth, fifth


def first_turns(slot: int, turns: int) -> int:
    """Turns of a slot's first conversation, which would have so many: a share of its own of them, at least one."""
    return max(1, math.ceil(turns * ((slot + 1) * _GOLDEN % 1)))


def first_delay_s(slot: int, time: ThinkTime) -> float:
    """How long after the beginning of the load a slot's first conversation begins."""
    return time.mean_s * ((slot + 1) * _SQUARE % 1)


def think_seconds(time: ThinkTime, number: float) -> float:
    """One think time; `number` is uniform in (0, 1]."""
    match time:
        case Evenly(low_s, high_s):
            return low_s + (high_s - low_s) * number
        case Exponential(mean_s):
            return -mean_s * math.log(number)
        case _:
            assert_never(time)
