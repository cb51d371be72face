"""The resolved document: canonical JSON of v1, every default written out, secrets as references or `***`.

`x-origin` keeps what the document cannot say of itself: where it came from, the lines of its gates, its notices.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue
from pydantic.main import IncEx

from llmload.promises import Gate
from llmload.scenario.document.root import ScenarioDocument
from llmload.scenario.document.target import Launch
from llmload.scenario.document.workload import Prompts, Synthetic, Workload
from llmload.scenario.resolve import default_api, resolve_decision, resolve_load
from llmload.scenario.secrets import MASK, mask_command, names_secret, scrub_url

ORIGIN = "x-origin"
_NO_PROMPTS: IncEx = {"spec": {"workload": {"prompts"}}}
_NO_ANSWERS: IncEx = {"spec": {"workload": {"prompts": {"synthetic": {"output_tokens"}}}}}


@dataclass(frozen=True, slots=True)
class Origin:
    """What is known of a document beside itself; `sha256` is its fingerprint before file names were led back.

    `extended` names what was merged into it, which is not needed again.
    """

    source: str
    sha256: str
    notices: tuple[str, ...]
    extended: tuple[str, ...] = ()


def canonical(document: ScenarioDocument, gates: Sequence[Gate], origin: Origin) -> str:
    """The document to store: the same text for the same meaning, and `load_resolved` reads it back."""
    beside = {
        "source": origin.source,
        "sha256": origin.sha256,
        "notices": list(origin.notices),
        "gate_lines": [gate.line for gate in gates],
        **({"extends": list(origin.extended)} if origin.extended else {}),
    }
    return _dump({**_written_out(document), ORIGIN: beside})


def fingerprint(document: ScenarioDocument) -> str:
    """SHA-256 of the resolved document: comments and spelling do not matter, `--set` and variables do."""
    return hashlib.sha256(_dump(_written_out(document)).encode()).hexdigest()


def _dump(value: Mapping[str, object]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _masked(launch: Launch) -> Launch:
    env = {name: MASK if names_secret(name) else value for name, value in launch.env.items()}
    return launch.model_copy(update={"command": mask_command(launch.command), "env": env})


def _written_out(document: ScenarioDocument) -> dict[str, JsonValue]:
    spec = document.spec
    load = resolve_load(spec.load)
    target = spec.target.model_copy(
        update={
            "url": scrub_url(spec.target.url) if spec.target.url else None,
            "headers": dict.fromkeys(spec.target.headers, MASK),
            "api": spec.target.api or default_api(spec.target.framework),
            "launch": _masked(spec.target.launch) if spec.target.launch else None,
        }
    )
    updates: dict[str, object] = {"requests": load.requests}
    if spec.load.axis == "concurrency":
        updates["concurrency"] = list(spec.load.levels)
    decision = spec.decision.model_copy(
        update={"max_requests": resolve_decision(spec.decision, load.requests).max_requests}
    )
    written = spec.model_copy(
        update={"target": target, "load": spec.load.model_copy(update=updates), "decision": decision}
    )
    written = written.model_copy(update={"workload": _prompts_written_out(spec.workload)})
    whole = document.model_copy(update={"spec": written})
    plain: dict[str, JsonValue] = whole.model_dump(
        mode="json", by_alias=True, exclude_none=True, exclude=_left_out(spec.workload)
    )
    return plain


def _left_out(workload: Workload) -> IncEx | None:
    """What is not written out, since it may not be written either beside the rest."""
    if workload.mixture is not None:
        return _NO_PROMPTS
    return _NO_ANSWERS if workload.api is not None else None


def _prompts_written_out(workload: Workload) -> Workload:
    """With the usual prompts where none are described; in a mixture, of each class."""
    if workload.mixture is None:
        return workload.model_copy(update={"prompts": _usual(workload.prompts)})
    classes = [each.model_copy(update={"prompts": _usual(each.prompts)}) for each in workload.mixture]
    return workload.model_copy(update={"mixture": classes})


def _usual(prompts: Prompts) -> Prompts:
    return Prompts(synthetic=Synthetic()) if prompts == Prompts() else prompts
