"""From YAML text to a `Scenario`, or every problem of it at once.

The order: tree, apiVersion and conversion to v1, `--set`, variables, schema, rules between sections, resolution.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from llmload.errors import ScenarioError, StoreError, UsageError
from llmload.frameworks.registry import adapter_for
from llmload.promises import Gate
from llmload.scenario import asked
from llmload.scenario.canonical import ORIGIN, Origin, canonical, fingerprint
from llmload.scenario.demand import settle_demand
from llmload.scenario.document.root import ScenarioDocument
from llmload.scenario.document.settings import settings_model
from llmload.scenario.features import refuse_unbuilt
from llmload.scenario.files import beside
from llmload.scenario.gate_form import gate_of
from llmload.scenario.interpolation import interpolate
from llmload.scenario.masking import quotable_lines, quotable_sets, scrub_text
from llmload.scenario.overrides import FILE as SETS
from llmload.scenario.overrides import override
from llmload.scenario.replay import settle
from llmload.scenario.resolve import resolve_scenario
from llmload.scenario.rules import check
from llmload.scenario.source import Loaded, Source
from llmload.scenario.tree import MAX_BYTES, Place, Trouble, find, read
from llmload.scenario.validation import validate
from llmload.scenario.versions import to_current


def load(path: Path, *, sets: Sequence[str] = (), env: Mapping[str, str]) -> asked.Scenario:
    """The scenario in a file, of whatever version; ScenarioError carries all its problems.

    DataFileError: a trace or a list of prices that it names cannot be used.
    """
    return _scenario(read_document(path, sets=sets, env=env), path.parent)


def load_text(
    text: str, source: str, *, sets: Sequence[str] = (), env: Mapping[str, str], directory: Path
) -> asked.Scenario:
    """As `load`, of text that is not a file; `source` names it in errors, files it names lie in `directory`."""
    return _scenario(check_text(text, source, sets=sets, env=env), directory)


def load_runnable(path: Path, *, sets: Sequence[str] = (), env: Mapping[str, str]) -> asked.Scenario:
    """As `load`, for a run: NotBuiltError for what this version cannot do, one notice for defaults left out."""
    return _scenario(_runnable(read_document(path, sets=sets, env=env)), path.parent)


def load_runnable_text(
    text: str, source: str, *, sets: Sequence[str] = (), env: Mapping[str, str], directory: Path
) -> asked.Scenario:
    """As `load_runnable`, of text that is not a file."""
    return _scenario(_runnable(check_text(text, source, sets=sets, env=env)), directory)


def load_resolved(resolved: str) -> asked.Scenario:
    """The scenario of a stored document: as it was, but for the values of headers and the secrets of its URL."""
    try:
        whole = json.loads(resolved)
        origin = whole.pop(ORIGIN)
        lines, notices = origin["gate_lines"], tuple(origin["notices"])
        kept = asked.Document(source=origin["source"], text="", resolved=resolved, sha256=origin["sha256"])
        _forget_what_is_gone(whole["spec"]["target"])
        document = ScenarioDocument.model_validate(whole)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        kind = type(error).__name__
        remedy = "It was written by another version of llmload; read it with that one"
        raise StoreError("resolved document", f"cannot be read ({kind})", remedy) from None
    gates = tuple(gate_of(item, line) for item, line in zip(document.spec.gates, lines, strict=True))
    return resolve_scenario(document, gates, kept, notices)


def _forget_what_is_gone(target: dict[str, object]) -> None:
    """Let a run be judged without the plug-in that spoke to its server, or after its settings have changed.

    Nothing is asked of the server again, and what was learnt of it is stored with the run.
    """
    try:
        settings = adapter_for(str(target.get("framework", "openai"))).settings
        settings_model(settings).model_validate(target.get("framework_config", {}))
    except (UsageError, ValueError):
        target.update(framework="openai", framework_config={}, api=None)


def read_document(path: Path, *, sets: Sequence[str] = (), env: Mapping[str, str]) -> Loaded:
    """The valid document in a file; ScenarioError otherwise."""
    return check_text(read_file(path), str(path), sets=sets, env=env)


def read_file(path: Path) -> str:
    """The text of a scenario file; UsageError where there is none, ScenarioError where it is not UTF-8."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 4)
    except OSError as error:
        reason = (error.strerror or "unreadable").lower()
        raise UsageError(str(path), f"cannot be read: {reason}", "Name a scenario file") from None
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if len(raw) > MAX_BYTES:
            return raw.decode("utf-8", "replace")  # cut inside a character: its size is what is refused
        line = raw.count(b"\n", 0, error.start) + 1
        column = len(raw[: error.start].rpartition(b"\n")[2].decode("utf-8")) + 1
        where = Place(str(path), line, column)
        trouble = Trouble(where, "document", "not UTF-8 text", "Save the file in UTF-8")
        raise ScenarioError(Source({}).problems([trouble])) from None


def check_text(text: str, source: str, *, sets: Sequence[str] = (), env: Mapping[str, str]) -> Loaded:
    """The valid v1 document that a text means; ScenarioError with every problem of it."""
    root, troubles = read(text, source)
    origins = Source({source: quotable_lines(text, root), SETS: quotable_sets(sets)})
    if root is None and not troubles:
        troubles = [Trouble(Place(source, 1, 1), "document", "the document is empty", "Start with `llmload init`")]
    if root is None or troubles:
        raise ScenarioError(origins.problems(troubles))
    current, notices, troubles = to_current(root)
    if current is None:
        raise ScenarioError(origins.problems(troubles))
    current, found = override(current, sets)
    troubles += found
    current, found = interpolate(current, env)
    troubles += found
    judged = validate(ScenarioDocument, current)
    unset = {trouble.path for trouble in troubles}  # what an unset variable leaves behind is not a second problem
    troubles += [each for each in (*judged.troubles, *check(judged.node, judged.value)) if each.path not in unset]
    if troubles or judged.value is None:
        raise ScenarioError(origins.problems(troubles))
    return Loaded(judged.value, judged.node, origins, source, scrub_text(text, root), notices)


def _runnable(loaded: Loaded) -> Loaded:
    refuse_unbuilt(loaded)
    return loaded


def _scenario(loaded: Loaded, directory: Path) -> asked.Scenario:
    loaded = settle_demand(settle(loaded, directory), directory)
    document = beside(loaded.document, directory)
    gates = tuple(_read_gates(loaded))
    origin = Origin(loaded.name, fingerprint(loaded.document), loaded.notices)
    kept = asked.Document(loaded.name, loaded.text, canonical(document, gates, origin), origin.sha256)
    return resolve_scenario(document, gates, kept, loaded.notices)


def _read_gates(loaded: Loaded) -> Iterator[Gate]:
    for index, item in enumerate(loaded.document.spec.gates):
        node = find(loaded.root, ("spec", "gates", index))
        is_in_file = node is not None and node.place.file == loaded.name
        yield gate_of(item, node.place.line if node and is_in_file else None)
