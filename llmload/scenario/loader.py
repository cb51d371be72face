"""From YAML text to a `Scenario`, or every problem of it at once.

The order: tree, apiVersion and conversion to v1, what it extends, `--set`, the cells of the matrix, and for each cell
variables, schema, rules between sections, resolution.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmload.errors import ScenarioError, StoreError, UsageError
from llmload.frameworks.registry import adapter_for
from llmload.promises import Gate
from llmload.scenario import asked
from llmload.scenario.canonical import ORIGIN, Origin, canonical, fingerprint
from llmload.scenario.demand import settle_demand
from llmload.scenario.document.root import ScenarioDocument
from llmload.scenario.document.settings import settings_model
from llmload.scenario.embeddings import settle_embeddings
from llmload.scenario.extension import EXTENDS, Extended, extend
from llmload.scenario.files import beside
from llmload.scenario.gate_form import gate_of
from llmload.scenario.interpolation import interpolate
from llmload.scenario.length_facts import settle_lengths
from llmload.scenario.masking import quotable_lines, quotable_sets, scrub_text
from llmload.scenario.matrix import MATRIX, Cell, Matrix, label_troubles, laid_over, matrix_of, named_secrets, of_cells
from llmload.scenario.named_files import named_from
from llmload.scenario.overrides import FILE as SETS
from llmload.scenario.overrides import override
from llmload.scenario.prompt_facts import settle_prompts
from llmload.scenario.replay import settle
from llmload.scenario.resolve import resolve_scenario
from llmload.scenario.rules import check
from llmload.scenario.source import Basis, Loaded, Source
from llmload.scenario.text_file import read_file
from llmload.scenario.tree import Entries, Node, Place, Scalar, Trouble, find, format_path, read, replace_at
from llmload.scenario.validation import Judged, validate, validate_part
from llmload.scenario.versions import to_current


def load(path: Path, *, sets: Sequence[str] = (), env: Mapping[str, str]) -> asked.Scenario:
    """The scenario in a file, of whatever version; ScenarioError carries all its problems.

    DataFileError: a trace, a file of prompts or of lengths, or a list of prices that it names cannot be used.
    """
    return _scenario(read_document(path, sets=sets, env=env), path.parent)


def load_text(
    text: str, source: str, *, sets: Sequence[str] = (), env: Mapping[str, str], directory: Path
) -> asked.Scenario:
    """As `load`, of text that is not a file; `source` names it in errors, files it names lie in `directory`."""
    return _scenario(check_text(text, source, sets=sets, env=env, directory=directory), directory)


def load_document(loaded: Loaded, directory: Path) -> asked.Scenario:
    """As `load`, of a document that `read_cells` read; `directory` is that of the file."""
    return _scenario(loaded, directory)


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
    """The valid document in a file; ScenarioError otherwise, and where its matrix makes several of it."""
    return check_text(read_file(path), str(path), sets=sets, env=env, directory=path.parent)


def read_cells(path: Path, *, sets: Sequence[str] = (), env: Mapping[str, str]) -> tuple[Loaded, ...]:
    """The documents that a file stands for: one for each cell of its matrix, itself where it has none.

    ScenarioError with every problem of any of them, each told once.
    """
    return cells_of_text(read_file(path), str(path), sets=sets, env=env, directory=path.parent)


def written_document(path: Path, *, env: Mapping[str, str]) -> Node:
    """The document of a file as it is written, over what it extends; ScenarioError where one of them cannot be read.

    Its values are not judged, and its variables are left. Files are named as from its own folder.
    """
    text, source = read_file(path), str(path)
    root, troubles = read(text, source)
    current = None
    if root is not None and not troubles:
        current, _, troubles = to_current(root)
    extended = None if current is None else _extended(current, (), env, path.parent)
    if extended is None or extended.troubles:
        found = troubles if extended is None else [extended.told(each) for each in extended.troubles]
        empty = Trouble(Place(source, 1, 1), "document", "the document is empty", "Start with `llmload init`")
        lines = {source: quotable_lines(text, root), **({} if extended is None else extended.lines)}
        raise ScenarioError(Source(lines).problems(found or [empty]))
    return named_from(extended.settle(extended.root), extended.folders, path.parent)


def merged_text(text: str, source: str, *, sets: Sequence[str], env: Mapping[str, str], directory: Path) -> Node | None:
    """The document as it is written, over what it extends and with `--set` over it; None where it cannot be read."""
    root, troubles = read(text, source)
    current = None if root is None or troubles else to_current(root)[0]
    return None if current is None else override(_extended(current, sets, env, directory).root, sets)[0]


def check_text(
    text: str, source: str, *, sets: Sequence[str] = (), env: Mapping[str, str], directory: Path = Path()
) -> Loaded:
    """As `cells_of_text`, of a document without a matrix; ScenarioError where it has one."""
    first, *_ = cells_of_text(text, source, sets=sets, env=env, directory=directory)
    if first.cell is not None:
        message = "a matrix stands for several runs, and one scenario is wanted here"
        hint = "Take it away with --set spec.matrix=null, and set the values of one cell with --set"
        trouble = Trouble(first.cell.matrix, format_path(MATRIX), message, hint)
        raise ScenarioError(first.source.problems([trouble]))
    return first


def cells_of_text(
    text: str, source: str, *, sets: Sequence[str] = (), env: Mapping[str, str], directory: Path = Path()
) -> tuple[Loaded, ...]:
    """The valid v1 documents that a text means; ScenarioError with every problem of it, and of what it extends.

    Files that it extends lie in `directory`.
    """
    root, troubles = read(text, source)
    lines = {source: quotable_lines(text, root)}
    origins = Source({**lines, SETS: quotable_sets(sets)})
    if root is None and not troubles:
        troubles = [Trouble(Place(source, 1, 1), "document", "the document is empty", "Start with `llmload init`")]
    if root is None or troubles:
        raise ScenarioError(origins.problems(troubles))
    current, notices, troubles = to_current(root)
    if current is None or (troubles := list(_preset(current))):
        raise ScenarioError(origins.problems(troubles))
    extended = _extended(current, sets, env, directory)
    origins = Source({**lines, **extended.lines, SETS: quotable_sets(sets)})
    merged, troubles = override(extended.root, sets)
    merged, cells, found = _cells(extended.settle(merged), env)
    troubles += [*label_troubles(merged), *found]
    judged: dict[str, tuple[Cell | None, Judged[ScenarioDocument]]] = {}
    for cell in cells:
        basis = _Basis(current, extended, troubles, env, directory)
        judged[cell.id if cell else ""] = cell, _judge(merged, cell, basis)
    told = of_cells({name: each.troubles for name, (_, each) in judged.items()}) if cells else _of_part(current, env)
    if told or troubles or extended.troubles:
        own = [extended.told(each) for each in (*extended.troubles, *troubles)]
        raise ScenarioError(origins.problems([*own, *told]))
    kept = scrub_text(text, root)
    bases = tuple(Basis(base.name, base.file, base.asked) for base in extended.bases)
    return tuple(
        Loaded(each.value, each.node, origins, source, kept, notices, bases, cell)
        for cell, each in judged.values()
        if each.value is not None
    )


def _of_part(current: Node, env: Mapping[str, str]) -> list[Trouble]:
    """What is wrong with a document whose cells nobody knows, whatever they may say."""
    alone, found = interpolate(current, env)
    unset = {trouble.path for trouble in found}
    return [each for each in validate_part(ScenarioDocument, alone) if each.path not in unset]


def _cells(merged: Node, env: Mapping[str, str]) -> tuple[Node, tuple[Cell | None, ...], list[Trouble]]:
    """The document with the variables of its matrix filled in, and the cells of it; None is a document without one."""
    node = find(merged, MATRIX)
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return merged, (None,), []
    secrets = list(named_secrets(node, MATRIX))
    node, troubles = interpolate(node, env, path=MATRIX)
    troubles += secrets
    if not isinstance(node, Entries):
        hint = "Write keys with lists of values, like {load.concurrency: [[1, 10], [50]]}"
        return merged, (), [*troubles, Trouble(node.place, format_path(MATRIX), "no map of keys and values", hint)]
    matrix = matrix_of(node) if not troubles else Matrix(())
    return replace_at(merged, MATRIX, node), matrix.cells, [*troubles, *matrix.troubles]


def _preset(root: Node) -> Iterator[Trouble]:
    kind = find(root, ("kind",))
    if isinstance(kind, Scalar) and kind.value == "Preset":
        hint = "Write a scenario that extends it, or check it with llmload validate"
        yield Trouble(kind.place, "kind", "a preset is a part of a scenario, and cannot be run by itself", hint)


def _extended(current: Node, sets: Sequence[str], env: Mapping[str, str], directory: Path) -> Extended:
    """`--set extends=[...]` says what is extended; every other one acts on what has come of it."""
    asked = find(override(current, sets)[0], (EXTENDS,))
    return extend(current, asked, directory, env) if isinstance(current, Entries) else Extended(current)


@dataclass(frozen=True, slots=True)
class _Basis:
    """What every cell of a document is judged with; `troubles` are those of all of them."""

    current: Node
    extended: Extended
    troubles: Sequence[Trouble]
    env: Mapping[str, str]
    directory: Path


def _judge(merged: Node, cell: Cell | None, basis: _Basis) -> Judged[ScenarioDocument]:
    """One document behind its merge, with every trouble of it that is not of all."""
    extended, laid = basis.extended, list[Trouble]()
    if cell is not None:
        merged, laid = laid_over(merged, cell)
    values = None if cell is None else cell.values
    merged, found = interpolate(merged, basis.env, values)
    merged = named_from(merged, extended.folders, basis.directory)
    alone = interpolate(basis.current, basis.env, values)[0]
    own = (*laid, *found)
    # what an unset variable leaves is no second problem
    unset = {trouble.path for trouble in (*basis.troubles, *own)}
    if not extended.is_whole:
        part = [each for each in validate_part(ScenarioDocument, alone) if each.path not in unset]
        return Judged(None, merged, [extended.told(each) for each in (*own, *part)])
    judged = validate(ScenarioDocument, merged)
    rest = [each for each in (*judged.troubles, *check(judged.node, judged.value)) if each.path not in unset]
    by_itself = validate_part(ScenarioDocument, alone) if rest and extended.bases else rest
    before = {*extended.troubles, *basis.troubles, *own, *by_itself}
    combined = [extended.combined(each, judged.node) for each in rest if each not in before]
    told = [extended.told(each) for each in (*own, *(each for each in rest if each in before))]
    return Judged(judged.value, judged.node, [*told, *combined])


def _scenario(loaded: Loaded, directory: Path) -> asked.Scenario:
    loaded = settle_embeddings(loaded)
    for settle_one in (settle, settle_prompts, settle_lengths, settle_demand):
        loaded = settle_one(loaded, directory)
    document = beside(loaded.document, directory)
    gates = tuple(_read_gates(loaded))
    extended = tuple(base.name for base in loaded.bases)
    origin = Origin(loaded.name, fingerprint(loaded.document), loaded.notices, extended)
    kept = asked.Document(loaded.name, loaded.text, canonical(document, gates, origin), origin.sha256)
    return resolve_scenario(document, gates, kept, loaded.notices)


def _read_gates(loaded: Loaded) -> Iterator[Gate]:
    """Gates with the line of the scenario file that they come from: their own, or that of the `extends` with them."""
    for index, item in enumerate(loaded.document.spec.gates):
        node = find(loaded.root, ("spec", "gates", index))
        places = {} if node is None else {base.file: base.asked for base in loaded.bases} | {loaded.name: node.place}
        place = places.get(node.place.file) if node is not None else None
        yield gate_of(item, place.line if place is not None and place.file == loaded.name else None)
