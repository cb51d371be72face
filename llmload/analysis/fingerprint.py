"""What must be the same for two runs to be compared."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import assert_never

from llmload.cells import cell_of
from llmload.domain import RunHeader, TargetFacts
from llmload.scenario.asked import ClosedLoop, Load, OpenLoop, Scenario, Simulator, Trace
from llmload.scenario.lengths import LengthFile
from llmload.scenario.traffic import Mixture, PromptFile, SharedPrefix, Synthetic, Workload

_OF_THE_MACHINE = ("gpu", "gpu_count", "driver", "model_revision")


def fingerprint_of(header: RunHeader, scenario: Scenario, facts: TargetFacts | None) -> dict[str, str]:
    """Keys of METRICS "Fingerprint"; what nobody told is left out. Runs that differ in any are incomparable.

    The simulator's GPU is its profile, whatever GPUs this machine has. Its other figures are no part of this: they are
    what a regression changes. Cells of a matrix are told apart by their names too: they may differ in nothing else of
    this, such as in their SLO.
    """
    if isinstance(place := scenario.target.place, Simulator):
        found = {"gpu": f"simulated {place.profile}", "gpu_count": str(place.replicas)}
    else:
        found = {key: header.environment[key] for key in _OF_THE_MACHINE if header.environment.get(key)}
    found["workload"] = hashlib.sha256(_canonical(workload_terms(scenario.workload)).encode()).hexdigest()[:16]
    found["load"] = _canonical(_shape(scenario.load))
    found["llmload"] = header.version.split(".")[0]
    if cell := cell_of(header.labels):
        found["cell"] = cell
    if facts is not None:
        found |= {"framework": facts.framework, "model": facts.model}
        if facts.api:
            found["api"] = facts.api
        found["framework_config"] = _canonical(dict(facts.in_force))
        if facts.version:
            found["framework_version"] = facts.version
    return dict(sorted(found.items()))


def workload_terms(workload: Workload) -> dict[str, object]:
    """What is asked, by name. A file of prompts or of lengths is known by what it holds, not by where it lies."""
    terms = asdict(workload)
    if workload.sessions is None:
        del terms["sessions"]  # as runs were known before there were any
    del terms["prompts"]
    if not isinstance(workload.prompts, Mixture):
        return {**terms, **_prompt_terms(workload.prompts)}
    classes = [{"class": each.name, "share": each.share, **_prompt_terms(each.prompts)} for each in workload.classes]
    return {**terms, "mixture": classes}


def _prompt_terms(prompts: Synthetic | PromptFile) -> dict[str, object]:
    terms = asdict(prompts)
    match prompts:
        case Synthetic(lengths=lengths, shared_prefix=prefix):
            del terms["shared_prefix"]  # runs of earlier versions know of none
            return {**_synthetic(terms, lengths), **_shared(prefix)}
        case PromptFile(reading=reading, found=found):
            del terms["reading"]["path"]
            if reading.most_turns is None:
                del terms["reading"]["most_turns"]  # as older runs are known
            if found.turns is None:
                del terms["found"]["turns"]
            return {"file": terms}
        case _:
            assert_never(prompts)


def _synthetic(terms: dict[str, object], lengths: LengthFile | None) -> dict[str, object]:
    if terms["images"] is None:
        del terms["images"]  # as older runs are known
    if lengths is None:
        return {name: value for name, value in terms.items() if name != "lengths"}  # as older runs are known
    known = {name: value for name, value in asdict(lengths).items() if name != "path"}
    return {**terms, "input_tokens": None, "output_tokens": None, "lengths": known}


def _shared(prefix: SharedPrefix | None) -> dict[str, object]:
    """What a prefix sends. Which hits its author expects of it changes no request."""
    if prefix is None:
        return {}
    return {"shared_prefix": {"tokens": prefix.tokens, "groups": prefix.groups, "zipf": prefix.zipf}}


def _shape(load: Load) -> dict[str, object]:
    """The shape by its name and terms. A trace is known by what it holds, not by where it lies, and how far it went."""
    match load.shape:
        case ClosedLoop(concurrency):
            return {"concurrency": concurrency, **_extent(load)}
        case OpenLoop(rate_per_s, arrival):
            name = type(arrival).__name__.lower()
            return {"rate": rate_per_s, "arrival": {name: asdict(arrival)}, **_extent(load)}
        case Trace(_, speed, sha256):
            return {"trace": sha256, "speed": speed, **_extent(load)}
        case _:
            assert_never(load.shape)


def _extent(load: Load) -> dict[str, object]:
    """How much one window measures: runs of fewer requests vary more, and their tails lie elsewhere."""
    told = {"requests": load.requests, "duration_s": load.duration_s}
    return {name: value for name, value in told.items() if value is not None}


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
