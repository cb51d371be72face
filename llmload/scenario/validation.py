"""One pydantic model against one node of the tree: the value, or located troubles in our own words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Generic, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from llmload.scenario.masking import is_secret_path
from llmload.scenario.nearest import nearest
from llmload.scenario.secrets import Scrubber
from llmload.scenario.tree import (
    Entries,
    Node,
    Place,
    Scalar,
    Step,
    Trouble,
    find,
    format_path,
    plain,
    replace_at,
)
from llmload.scenario.wording import say

Model = TypeVar("Model", bound=BaseModel)


class Judged(Generic[Model]):
    """What validation came to; `node` has the readings that the schema took."""

    def __init__(self, value: Model | None, node: Node, troubles: Sequence[Trouble]) -> None:
        self.value, self.node, self.troubles = value, node, list(troubles)


def validate(model: type[Model], node: Node, path: tuple[Step, ...] = ()) -> Judged[Model]:
    """Judge `node`, which stands at `path`; a refused value with a second reading is tried with that."""
    value, node, errors = _read(model, node)
    return Judged(value, node, [_trouble(model, error, node, path) for error in errors])


def validate_part(model: type[BaseModel], node: Node) -> list[Trouble]:
    """What is wrong with a document that others complete: what none of them could mend by what it adds or erases."""
    _, node, errors = _read(model, node)
    return [_trouble(model, error, node, ()) for error in errors if not _can_be_mended(model, error, node)]


def _read(model: type[Model], node: Node) -> tuple[Model | None, Node, list[ErrorDetails]]:
    try:
        return model.model_validate(plain(node)), node, []
    except ValidationError as refused:
        second = _second_reading(node, refused)
        if second is not node:
            return _read(model, second)
        return None, node, refused.errors(include_url=False, include_input=True)


def _can_be_mended(model: type[BaseModel], error: ErrorDetails, root: Node) -> bool:
    """Whether the fault may lie in what a map does not say, or in what it says beside something else."""
    path = written_path(root, error["loc"])
    node = find(root, path)
    if any(isinstance(step, int) for step in path):
        return False  # lists are replaced as a whole
    if isinstance(node, Scalar) and node.value is None:
        return True  # it erases what another document says
    is_of_a_section = isinstance(node, Entries) and bool(known_keys(model, path))
    return is_of_a_section and path[:1] == ("spec",) and error["type"] in ("missing", "llmload")


def _second_reading(node: Node, refused: ValidationError) -> Node:
    """The same tree with the next reading of each refused value that has one."""
    for error in refused.errors(include_url=False, include_input=False):
        path = written_path(node, error["loc"])
        value = find(node, path)
        if isinstance(value, Scalar) and value.otherwise:
            read_next = replace(value, value=value.otherwise[0], otherwise=value.otherwise[1:])
            node = replace_at(node, path, read_next)
    return node


def written_path(root: Node, loc: Sequence[Step]) -> tuple[Step, ...]:
    """Pydantic's location without the tags of unions, as far as it is written."""
    path: tuple[Step, ...] = ()
    for step in loc:
        if find(root, (*path, step)) is not None:
            path = (*path, step)
    return path


def _trouble(model: type[BaseModel], error: ErrorDetails, root: Node, prefix: tuple[Step, ...]) -> Trouble:
    path = written_path(root, error["loc"])
    node = find(root, path) or root
    last = error["loc"][-1] if error["loc"] else None
    if error["type"] == "extra_forbidden":
        known = known_keys(model, path[:-1])
        message, hint = _refused_key(str(path[-1]), known, root, path[:-1])
        return Trouble(key_place(root, path), format_path(prefix + path), message, hint)
    if error["type"] == "missing":
        shown = format_path((*prefix, *path, str(last)))
        return Trouble(node.place, shown, f"{last} is missing", _missing_hint(str(last)))
    message, hint = say(error)
    if field := error.get("ctx", {}).get("field"):
        path = written_path(root, (*path, str(field)))
    if isinstance(node, Scalar) and (node.is_from_env or is_secret_path(prefix + path, node.value)):
        scrubber = Scrubber([str(node.value)])
        message, hint = scrubber.scrub(message), scrubber.scrub(hint)
    return Trouble((find(root, path) or root).place, format_path(prefix + path), message, hint)


def _refused_key(key: str, known: Sequence[str], root: Node, parent: tuple[Step, ...]) -> tuple[str, str]:
    """A key that nothing knows, or one of an alternative to what is written beside it."""
    beside = find(root, parent)
    if key not in known or not isinstance(beside, Entries):
        return f"unknown key {key!r}", nearest(key, known)
    written = [str(name.value) for name, _ in beside.pairs]
    others = ", ".join(other for other in written if other != key and other in known)
    return f"{key} cannot stand beside {others}", "Keep one of them: each is a way of its own to say this"


def key_place(root: Node, path: tuple[Step, ...]) -> Place:
    """Where the key of `path` stands, or the value where it has none."""
    parent = find(root, path[:-1]) if path else None
    key = parent.key(str(path[-1])) if isinstance(parent, Entries) else None
    return (key or find(root, path) or root).place


_EXAMPLES = {
    "apiVersion": "apiVersion: llmload/v1",
    "kind": "kind: Scenario",
    "metadata": "metadata: {name: my-scenario}",
    "name": "name: my-scenario",
    "spec": "spec: {target: {url: http://localhost:8000}}",
    "target": "target: {url: http://localhost:8000}",
    "peak_concurrency": "peak_concurrency: 500",
}


def _missing_hint(name: str) -> str:
    return f"Add {_EXAMPLES.get(name, name + ': ...')}"


def known_keys(model: type[BaseModel], path: Sequence[Step]) -> tuple[str, ...]:
    """The keys that may stand in the map at `path`."""
    models: list[type[BaseModel]] = [model]
    for step in path:
        if isinstance(step, str):
            models = [inner for outer in models for inner in _under(outer, step)]
    return tuple(dict.fromkeys(name for each in models for name in _names(each)))


def _names(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


def _under(model: type[BaseModel], key: str) -> Iterator[type[BaseModel]]:
    for name, field in model.model_fields.items():
        if key == (field.alias or name):
            yield from _models_in(field.annotation)


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        return
    for inner in get_args(annotation):
        yield from _models_in(inner)
