"""What conversations may not be asked for with: each goes on from the answer before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from llmload.frameworks.adapter import Dialect
from llmload.scenario.document.load import Load
from llmload.scenario.document.sessions import Sessions
from llmload.scenario.document.workload import PromptFile, Workload
from llmload.scenario.tree import Step

Refusal = tuple[tuple[Step, ...], str, str]
"""Where, what is wrong, and what to do."""

_SESSIONS: tuple[Step, ...] = ("spec", "workload", "sessions")
_API: tuple[Step, ...] = ("spec", "target", "api")


def session_refusals(
    workload: Workload, load: Load | None, dialects: Mapping[str, Dialect], api: str | None
) -> Iterator[Refusal]:
    """What does not go together with `workload.sessions`; `dialects` are those of the target, `api` the one written."""
    if workload.sessions is None:
        return
    if load is not None and load.axis != "concurrency":
        shape = "trace" if load.trace is not None else "rate"
        message = f"each turn of a conversation waits for the answer before it, and a {shape} waits for none"
        hint = "Write load.concurrency instead, the number of conversations at a time, or delete sessions"
        yield ("spec", "load", shape), message, hint
    if workload.mixture is not None:
        yield _SESSIONS, "a mixture is of single requests, not of conversations", "Keep one of them"
    if workload.api == "embeddings":
        yield _SESSIONS, "embeddings have no answer that a conversation could go on from", "Delete it"
    if workload.prompts.file is not None:
        yield from _of_a_file(workload.prompts.file, workload.sessions)
    spoken = api or next(iter(dialects), "")
    if spoken in dialects and not dialects[spoken].takes_messages:
        able = [name for name, dialect in dialects.items() if dialect.takes_messages]
        message = f"conversations need an API that takes messages, and {spoken} takes one bare prompt"
        hint = f"Write target.api: {' or '.join(able)}" if able else "Delete sessions: this framework has no such API"
        yield (_API if api else _SESSIONS), message, hint


def _of_a_file(file: PromptFile, sessions: Sessions) -> Iterator[Refusal]:
    """A row has its own turns and messages."""
    if file.format not in ("openai", "sharegpt"):
        message = f"rows of the format {file.format} are single prompts, and no conversations"
        yield _SESSIONS, message, "Name a file of the format openai or sharegpt, or delete sessions"
    if not isinstance(sessions.turns, int | None):
        message = "each row of a file has turns of its own, and none are drawn"
        yield (*_SESSIONS, "turns"), message, "Write a number, the most that a row gives, or delete it"
    if sessions.input_tokens is not None:
        yield (*_SESSIONS, "input_tokens"), "a file says what its users say, in words", "Delete it"
