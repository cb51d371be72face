"""What a trace settles in the document that names it: how many requests, of which file, with which prompts.

The stored document says all of it, so that a run can be judged again when the trace is gone.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from llmload.errors import ScenarioError
from llmload.scenario.document.load import Load, Trace
from llmload.scenario.document.workload import Prompts, Synthetic
from llmload.scenario.files import lead
from llmload.scenario.recording import Recording
from llmload.scenario.rules import at_path
from llmload.scenario.source import Loaded
from llmload.scenario.trace_file import open_recording
from llmload.scenario.tree import Node, Step, Trouble
from llmload.units import format_duration, format_number

SHARED = "The trace says which prompts begin alike, so prompts are not salted; write unique: true to salt them all."
OWN_LENGTHS = "The trace says how long each request is: input_tokens and output_tokens are not used."
_LOAD: tuple[Step, ...] = ("spec", "load")


def settle(loaded: Loaded, directory: Path) -> Loaded:
    """The document with what only its trace knows; as it was, where it names none.

    DataFileError: the trace cannot be used. ScenarioError: what is asked of it does not suit it.
    """
    load = loaded.document.spec.load
    if load.trace is None:
        return loaded
    recording = open_recording(lead(load.trace.file, directory))
    troubles = list(_troubles(load, load.trace, recording, loaded.root))
    if troubles:
        raise ScenarioError(loaded.source.problems(troubles))
    spec = loaded.document.spec
    trace = load.trace.model_copy(update={"sha256": recording.sha256})
    asked = load.model_copy(update={"trace": trace, "requests": _requests(load, load.trace, recording)})
    prompts, notices = _prompts(spec.workload.prompts, recording)
    workload = spec.workload.model_copy(update={"prompts": prompts})
    document = loaded.document.model_copy(
        update={"spec": spec.model_copy(update={"load": asked, "workload": workload})}
    )
    return replace(loaded, document=document, notices=(*loaded.notices, *recording.notices, *notices))


def _requests(load: Load, trace: Trace, recording: Recording) -> int:
    """All requests of the trace, or as many as `requests` and `duration` want, whichever is more."""
    if load.requests is None and load.duration is None:
        return len(recording)
    until_ns = (load.duration or 0.0) * trace.speed * 1e9
    return max(load.requests or 0, bisect_left(recording.at_ns, until_ns))


def _troubles(load: Load, trace: Trace, recording: Recording, root: Node) -> Iterator[Trouble]:
    if trace.sha256 not in (None, recording.sha256):
        message = f"the file's is {recording.sha256}: it is another one, or was changed"
        yield at_path(root, (*_LOAD, "trace", "sha256"), message, "Bring back the file that was meant, or correct it")
    requests = _requests(load, trace, recording)
    if requests > len(recording):
        message = f"the trace has {len(recording)} requests"
        yield at_path(root, (*_LOAD, "requests"), message, f"Write {len(recording)} or fewer, or delete it to send all")
        return
    takes_s = recording.at_ns[requests - 1] / trace.speed / 1e9
    if takes_s > load.max_duration:
        took = f"{format_duration(round(takes_s, 3))} at speed {format_number(trace.speed)}"
        message = (
            f"{requests} requests of the trace take {took}, and max_duration is {format_duration(load.max_duration)}"
        )
        hint = "Raise max_duration or trace.speed, or write a duration for the first part of the trace"
        yield at_path(root, (*_LOAD, "max_duration"), message, hint)


def _prompts(prompts: Prompts, recording: Recording) -> tuple[Prompts, tuple[str, ...]]:
    """A trace that says which prompts begin alike is not salted, unless its author asks for that."""
    synthetic = prompts.synthetic or Synthetic()
    written = synthetic.model_fields_set if prompts.synthetic else set()
    notices = (OWN_LENGTHS,) if written & {"input_tokens", "output_tokens"} else ()
    if prompts.file is not None or not recording.has_blocks or "unique" in written:
        return prompts, notices
    return prompts.model_copy(update={"synthetic": synthetic.model_copy(update={"unique": False})}), (*notices, SHARED)
