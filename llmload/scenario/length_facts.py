"""What a file of measured lengths settles in the document that names it: which file it was and what it held.

The stored document says all of it, so that a run can be judged again when the file is gone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from llmload.errors import ScenarioError
from llmload.scenario.document.lengths import LengthFile, LengthsFound
from llmload.scenario.document.root import Spec
from llmload.scenario.document.workload import Prompts
from llmload.scenario.files import lead
from llmload.scenario.length_file import OpenedLengths, open_lengths, raised_to_one
from llmload.scenario.prompt_places import settled
from llmload.scenario.rules import at_path
from llmload.scenario.source import Loaded
from llmload.scenario.tree import Node, Step, Trouble


def settle_lengths(loaded: Loaded, directory: Path) -> Loaded:
    """The document with what only its file of lengths knows; as it was, where it names none.

    DataFileError: the file cannot be used. ScenarioError: it does not suit what else is asked.
    """
    return settled(loaded, lambda prompts, path: _settled(loaded, prompts, path, directory))


def _settled(
    loaded: Loaded, prompts: Prompts, path: tuple[Step, ...], directory: Path
) -> tuple[Prompts, tuple[str, ...]]:
    synthetic = prompts.synthetic
    if synthetic is None or synthetic.lengths is None:
        return prompts, ()
    lengths, path = synthetic.lengths, (*path, "synthetic", "lengths")
    if troubles := list(_contradictions(loaded.document.spec, loaded.root, path)):
        raise ScenarioError(loaded.source.problems(troubles))
    opened = open_lengths(lead(lengths.path, directory), lengths.input, lengths.output)
    if troubles := list(_troubles(lengths, opened, loaded.root, path)):
        raise ScenarioError(loaded.source.problems(troubles))
    found = LengthsFound(**asdict(opened.found))
    told = lengths.model_copy(update={"sha256": found.sha256, "found": found})
    notices = (raised_to_one(lead(lengths.path, directory), opened.raised),) if opened.raised else ()
    return prompts.model_copy(update={"synthetic": synthetic.model_copy(update={"lengths": told})}), notices


def _contradictions(spec: Spec, root: Node, path: tuple[Step, ...]) -> Iterator[Trouble]:
    if spec.load.trace is not None:
        message = "a trace says how long each request is, and so does a file of lengths"
        yield at_path(root, path, message, "Keep one: delete lengths, or write a concurrency or a rate")


def _troubles(lengths: LengthFile, opened: OpenedLengths, root: Node, path: tuple[Step, ...]) -> Iterator[Trouble]:
    if lengths.sha256 not in (None, opened.found.sha256):
        message = f"the file's is {opened.found.sha256}: it is another one, or was changed"
        yield at_path(root, (*path, "sha256"), message, "Bring back the file that was meant, or correct it")
