"""Conversations from the rows of a file: what their users said there, answered anew by the server."""

from __future__ import annotations

from dataclasses import dataclass, replace

from llmload.planned import NO_PART, PlannedRequest, PlannedSession, PlannedTurn
from llmload.scenario.conversation_rows import Turn, turns_reader
from llmload.scenario.prompt_rows import DEFAULT_OUTPUT_TOKENS
from llmload.scenario.traffic import Sessions
from llmload.workload.file_plan import FilePlan, salted_message
from llmload.workload.lengths import draw, longest
from llmload.workload.plan import window_key
from llmload.workload.prompts import salt
from llmload.workload.session_plan import first_delay_s, first_turns, think_seconds, turn_draws
from llmload.workload.shard import Shard


@dataclass(frozen=True, slots=True)
class FileSessionPlan:
    """The conversations of one look at one step, as a function of their index: one row each.

    Same file, same arguments, same words, on any machine. `rows` says which rows, how long answers are asked to be,
    and whether each conversation begins with a salt. `slots` conversations go on at a time.
    """

    rows: FilePlan
    sessions: Sessions
    slots: int

    def session(self, index: int) -> PlannedSession:
        """The `index`-th conversation of the window; a slot's first one is cut as those of words are."""
        told = self._told(index)
        if index < self.slots:
            told = told[: first_turns(index, len(told))]
        planned = tuple(self._turn(index, number, turn) for number, turn in enumerate(told))
        return PlannedSession(planned, NO_PART._replace(session=index))

    def delay_s(self, slot: int) -> float:
        """How long after the beginning of the load a slot's first conversation begins: evenly within a think time."""
        return first_delay_s(slot, self.sessions.think_time)

    def request(self, index: int) -> PlannedRequest:
        """The request that begins the `index`-th conversation."""
        first = self._turn(index, 0, self._told(index)[0])
        part = NO_PART._replace(session=index, turn=0)
        return PlannedRequest(index, "", None, first.output_tokens, first.messages, part)

    @property
    def turns(self) -> int:
        """Most turns of a conversation."""
        return longest(self.sessions.turns)

    def of_shard(self, shard: Shard) -> FileSessionPlan:
        """What one worker needs of it."""
        return replace(self, rows=self.rows.of_shard(shard))

    def _told(self, index: int) -> tuple[Turn, ...]:
        """The turns of its row, the salt in the first text of all."""
        plan = self.rows
        first, *others = turns_reader(plan.rows.reading)(plan.rows.raw(index))
        if plan.unique:
            words = " ".join(salt(window_key(plan.seed, plan.step, plan.look, plan.run), index))
            opening, *rest = first.messages
            first = first._replace(messages=(salted_message(words, opening), *rest))
        return (first, *others)

    def _turn(self, index: int, number: int, turn: Turn) -> PlannedTurn:
        plan = self.rows
        key = window_key(plan.seed, plan.step, plan.look)
        _, first, second, _, _, fifth = turn_draws(key, index, number)
        answer = turn.output_tokens or DEFAULT_OUTPUT_TOKENS
        if plan.output_tokens is not None:
            answer = draw(plan.output_tokens, first, second)
        think_s = think_seconds(self.sessions.think_time, fifth) if number else 0.0
        return PlannedTurn(turn.messages, None, answer, think_s)
