"""What a file of prompts settles in the document that names it: which file it was and what it held.

The stored document says all of it, so that a run can be judged again when the file is gone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

from llmload.errors import ScenarioError
from llmload.frameworks.registry import adapter_for
from llmload.scenario.corpus import Corpus, Found, TurnsFound
from llmload.scenario.document import workload as written
from llmload.scenario.document.root import Spec
from llmload.scenario.files import lead
from llmload.scenario.prompt_file import open_corpus
from llmload.scenario.prompt_places import settled
from llmload.scenario.prompt_rows import CHARACTERS_PER_TOKEN, DEFAULT_OUTPUT_TOKENS
from llmload.scenario.resolve import default_api
from llmload.scenario.resolve_traffic import most_turns_of, reading_of
from llmload.scenario.rules import at_path
from llmload.scenario.source import Loaded
from llmload.scenario.tree import Node, Step, Trouble

_RECORDED = ("openai", "sharegpt")


def settle_prompts(loaded: Loaded, directory: Path) -> Loaded:
    """The document with what only its file of prompts knows; as it was, where it names none.

    DataFileError: the file cannot be used. ScenarioError: it does not suit what else is asked.
    """
    return settled(loaded, lambda prompts, path: _settled(loaded, prompts, path, directory))


def _settled(
    loaded: Loaded, prompts: written.Prompts, path: tuple[Step, ...], directory: Path
) -> tuple[written.Prompts, tuple[str, ...]]:
    """The prompts at `path` with what their file held, and what to tell of it."""
    file, spec = prompts.file, loaded.document.spec
    if file is None:
        return prompts, ()
    path = (*path, "file")
    if troubles := list(_contradictions(spec, loaded.root, path)):
        raise ScenarioError(loaded.source.problems(troubles))
    reading = replace(reading_of(file), path=lead(file.path, directory), most_turns=most_turns_of(spec.workload))
    corpus = open_corpus(reading)
    if troubles := list(_troubles(loaded, file, corpus, path)):
        raise ScenarioError(loaded.source.problems(troubles))
    found = written.Found(**asdict(found_in(corpus)))
    told = written.Prompts(file=file.model_copy(update={"sha256": corpus.sha256, "found": found}))
    lengths = () if spec.workload.api else _lengths(file, corpus)
    return told, (*_notices(file, corpus), *lengths)


def found_in(corpus: Corpus) -> Found:
    """What reading the file came to."""
    mean = (sum(corpus.output_tokens) + corpus.untold * DEFAULT_OUTPUT_TOKENS) / corpus.answers
    counts = (len(corpus), corpus.skipped, corpus.filtered)
    return Found(corpus.sha256, *counts, round(mean, 3), _turns(corpus) if corpus.turns else None)


def _turns(corpus: Corpus) -> TurnsFound:
    mean = corpus.answers / len(corpus)
    square = sum(turns * turns for turns in corpus.turns) / len(corpus)
    return TurnsFound(round(mean, 6), round(math.sqrt(max(0.0, square - mean**2)), 6), max(corpus.turns))


def _contradictions(spec: Spec, root: Node, path: tuple[Step, ...]) -> Iterator[Trouble]:
    if spec.load.trace is not None:
        message = "a trace says how long each prompt is, and a file says what it is"
        yield at_path(root, path, message, "Keep one: delete prompts.file, or write a concurrency or a rate")


def _troubles(loaded: Loaded, file: written.PromptFile, corpus: Corpus, path: tuple[Step, ...]) -> Iterator[Trouble]:
    root, target = loaded.root, loaded.document.spec.target
    if file.sha256 not in (None, corpus.sha256):
        message = f"the file's is {corpus.sha256}: it is another one, or was changed"
        yield at_path(root, (*path, "sha256"), message, "Bring back the file that was meant, or correct it")
    api = target.api or default_api(target.framework)
    dialect = adapter_for(target.framework).dialects.get(api)
    if corpus.conversation_line is not None and dialect is not None and not dialect.takes_messages:
        where = f"{corpus.reading.path}:{corpus.conversation_line}"
        message = f"{where} is a conversation, and the API {api} takes one bare prompt"
        chat = "Write" if loaded.document.spec.workload.api else "Write target.api: chat, or"
        yield at_path(root, (*path, "path"), message, f"{chat} rows of one message of the user")
    for name, line in corpus.field_lines.items():
        if dialect is not None and name not in dialect.row_fields:
            message = f"{corpus.reading.path}:{line} has {name}, for which {target.framework}'s API {api} has no place"
            yield at_path(root, (*path, "path"), message, f"Name another target.api, or delete {name} from the rows")


def _notices(file: written.PromptFile, corpus: Corpus) -> Iterator[str]:
    name = corpus.reading.path
    if corpus.skipped:
        rows = "bad row is" if corpus.skipped == 1 else "bad rows are"
        yield f"{name}: {corpus.skipped:,} {rows} left out (on_bad_row: skip), the first at {corpus.first_bad}"
    if corpus.filtered:
        rows = "row is" if corpus.filtered == 1 else "rows are"
        yield f"{name}: {corpus.filtered:,} {rows} left out by min_characters and max_characters"


def _lengths(file: written.PromptFile, corpus: Corpus) -> Iterator[str]:
    """How long answers are asked to be, where that is not written."""
    name = corpus.reading.path
    untold, answers = corpus.untold, corpus.answers
    if file.output_tokens is None and file.format in _RECORDED and untold < answers:
        yield (
            f"{name}: where a row does not say how long its answer is to be, it is asked to be as long as the recorded"
            f" one, at {CHARACTERS_PER_TOKEN} characters a token."
        )
    if file.output_tokens is None and untold:
        what = "turns" if corpus.turns else "rows"
        rows = f"{untold:,} of {answers:,} {what} say"
        yield f"{name}: {rows} nothing of their answers' length, and ask for {DEFAULT_OUTPUT_TOKENS} tokens"
