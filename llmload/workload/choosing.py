"""Which rows of a file a window asks, and their text."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Mapping
from itertools import accumulate
from pathlib import Path
from typing import assert_never

from llmload.errors import DataFileError
from llmload.planned import LongestConversation, Look, PlannedRequest
from llmload.scenario.bad_row import BadRowError
from llmload.scenario.corpus import Corpus
from llmload.scenario.file_kinds import changed, stamp_of
from llmload.scenario.lengths import Fixed
from llmload.scenario.prompt_file import open_corpus
from llmload.scenario.prompt_rows import CHARACTERS_PER_TOKEN
from llmload.scenario.row_images import written_out
from llmload.scenario.traffic import Evenly, PromptFile, Sessions, Workload
from llmload.workload.file_plan import ChosenRows, FilePlan, random_row
from llmload.workload.file_sessions import FileSessionPlan
from llmload.workload.lengths import longest
from llmload.workload.permutation import permutation_of

_MOST_BYTES = 256 * 2**20
_AN_ANSWER = {"role": "assistant", "content": "yes"}


def corpus_of(prompts: PromptFile) -> Corpus:
    """The file as it was checked; DataFileError where it is gone, or another one by now."""
    corpus = open_corpus(prompts.reading)
    if prompts.found.sha256 not in ("", corpus.sha256):
        raise changed(prompts.reading.path)
    return corpus


def rows_of(workload: Workload, prompts: PromptFile, look: Look, first: int, count: int) -> Iterator[int]:
    """The rows of the first `count` requests of a look whose rows begin at the `first` of the run, from 0."""
    total = prompts.found.rows
    match prompts.order:
        case "sequential":
            yield from ((first + number) % total for number in range(count))
        case "shuffle":
            order = permutation_of(total, workload.seed)
            yield from (order[(first + number) % total] for number in range(count))
        case "random":
            window = (look.step.index, look.number)
            yield from (random_row(workload.seed, window, number, total) for number in range(count))
        case _:
            assert_never(prompts.order)


def choose(workload: Workload, prompts: PromptFile, look: Look, first: int, count: int) -> ChosenRows:
    """Those rows, read where they lie. DataFileError: more than a window may hold, or the file is another one."""
    corpus = corpus_of(prompts)
    rows = array("q", rows_of(workload, prompts, look, first, count))
    ends = array("q", accumulate(corpus.sizes[row] for row in rows))
    if ends and ends[-1] > _MOST_BYTES:
        megabytes = f"the {count:,} rows of one window have {ends[-1] // 2**20} MB"
        remedy = f"A window may hold {_MOST_BYTES // 2**20}: send fewer requests a window, or write max_characters"
        raise DataFileError(prompts.reading.path, megabytes, remedy)
    text = _read(corpus, rows, ends)
    if corpus.has_images:
        text, ends = _with_images(corpus, text, ends)
    return ChosenRows(prompts.reading, corpus.columns, text, ends, period=max(1, count))


def _with_images(corpus: Corpus, text: bytearray, ends: array[int]) -> tuple[bytearray, array[int]]:
    """The rows with their images in them, so that who sends them reads no file. DataFileError: too much for that."""
    whole, new_ends, begin, path = bytearray(), array("q"), 0, corpus.reading.path
    for end in ends:
        try:
            whole += written_out(bytes(text[begin:end]), Path(path).parent)
        except BadRowError as error:
            raise DataFileError(path, f"changed since it was checked: {error}", "Bring back what it names") from None
        if len(whole) > _MOST_BYTES:
            problem = f"the {len(ends):,} rows of one window have more than {_MOST_BYTES // 2**20} MB with their images"
            raise DataFileError(path, problem, "Send fewer requests a window, or smaller images")
        new_ends.append(len(whole))
        begin = end
    return whole, new_ends


def longest_row(workload: Workload, prompts: PromptFile) -> PlannedRequest:
    """The request that asks for most room, with a salt that no window has: asking it warms no cache."""
    corpus = corpus_of(prompts)
    rows = array("q", [corpus.longest])
    ends = array("q", [corpus.sizes[corpus.longest]])
    chosen = ChosenRows(prompts.reading, corpus.columns, _read(corpus, rows, ends), ends, period=1)
    return FilePlan(workload.seed, 0, 0, chosen, None, unique=True, run="longest").request(0)


def longest_conversation(workload: Workload, prompts: PromptFile) -> LongestConversation:
    """The conversation that asks for most room, with a salt that no window has: asking it warms no cache."""
    corpus, asked = corpus_of(prompts), prompts.output_tokens
    row, most = corpus.longest, None if asked is None else longest(asked)
    if most is not None:
        room = (text // CHARACTERS_PER_TOKEN + turns * most for text, turns in _extents(corpus))
        row = max(enumerate(room), key=lambda each: each[1])[0]
    ends = array("q", [corpus.sizes[row]])
    chosen = ChosenRows(prompts.reading, corpus.columns, _read(corpus, array("q", [row]), ends), ends, period=1)
    plan = FilePlan(workload.seed, 0, 0, chosen, None, unique=True, run="longest")
    turns = FileSessionPlan(plan, Sessions(Fixed(1), Evenly(0, 0), None), slots=0).session(0).turns
    answers = [turn.output_tokens if most is None else most for turn in turns]
    said: list[Mapping[str, object]] = []
    for turn in turns:
        said += [*turn.messages, _AN_ANSWER]
    last = PlannedRequest(0, "", None, answers[-1], tuple(said[:-1]))
    return LongestConversation(last, sum(answers[:-1]), len(turns))


def _extents(corpus: Corpus) -> Iterator[tuple[int, int]]:
    """Characters and turns of each conversation."""
    return zip(corpus.characters, corpus.turns, strict=True)


def _read(corpus: Corpus, rows: array[int], ends: array[int]) -> bytearray:
    """The text of the rows, one after the other, each ending where `ends` says."""
    path, text = corpus.reading.path, bytearray(ends[-1] if ends else 0)
    into = memoryview(text)
    try:
        with Path(path).open("rb", buffering=0) as file:
            descriptor, begin = file.fileno(), 0
            for row, end in zip(rows, ends, strict=True):
                if os.preadv(descriptor, [into[begin:end]], corpus.offsets[row]) != end - begin:
                    raise changed(path)
                begin = end
            if stamp_of(os.fstat(descriptor)) != corpus.stamp:
                raise changed(path)
    except OSError:
        raise changed(path) from None
    return text
