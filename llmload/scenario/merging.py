"""One document over another: maps merge, everything else replaces, and of a choice only one alternative is left.

A null takes away what the other document says. Every node keeps the place it was written at.
"""

from __future__ import annotations

from collections.abc import Mapping

from llmload.scenario.tree import Entries, Node, Scalar, Step, Trouble, find, format_path, replace_at
from llmload.scenario.validation import key_place

_LENGTH: Mapping[str, tuple[str, ...]] = {
    "uniform": ("lognormal", "mean", "stdev", "min", "max"),
    "lognormal": ("uniform", "mean", "stdev", "min", "max"),
    **dict.fromkeys(("mean", "stdev", "min", "max"), ("uniform", "lognormal")),
}
_TIME: Mapping[str, tuple[str, ...]] = {"exponential": ("uniform",), "uniform": ("exponential",)}
_SECRET: Mapping[str, tuple[str, ...]] = {"env": ("file",), "file": ("env",)}
_TARGET: tuple[Step, ...] = ("spec", "target")
_PROMPTS: tuple[Step, ...] = ("spec", "workload", "prompts")

CHOICES: Mapping[tuple[Step, ...], Mapping[str, tuple[str, ...]]] = {
    _TARGET: {"simulator": ("url", "launch"), "url": ("simulator", "launch"), "launch": ("simulator",)},
    (*_TARGET, "api_key"): _SECRET,
    (*_TARGET, "simulator", "api_key"): _SECRET,
    ("spec", "load"): {
        "concurrency": ("rate", "arrival", "trace"),
        "rate": ("concurrency", "trace"),
        "trace": ("concurrency", "rate", "arrival", "ramp"),
    },
    ("spec", "workload"): {"prompts": ("mixture",), "mixture": ("prompts",)},
    _PROMPTS: {"synthetic": ("file",), "file": ("synthetic",)},
    (*_PROMPTS, "synthetic"): {
        "lengths": ("input_tokens", "output_tokens"),
        **dict.fromkeys(("input_tokens", "output_tokens"), ("lengths",)),
    },
    (*_PROMPTS, "synthetic", "input_tokens"): _LENGTH,
    (*_PROMPTS, "synthetic", "output_tokens"): _LENGTH,
    (*_PROMPTS, "file", "output_tokens"): _LENGTH,
    ("spec", "workload", "sessions", "turns"): _LENGTH,
    ("spec", "workload", "sessions", "input_tokens"): _LENGTH,
    ("spec", "workload", "sessions", "think_time"): _TIME,
    ("spec", "telemetry", "gpu"): {"source": ("url",)},
    ("spec", "telemetry", "server_logs"): {"docker": ("file",), "file": ("docker",)},
}
"""Maps of which one alternative holds: a key that the upper document writes takes these keys of the lower one away."""

_OF_THE_FRAMEWORK = ("framework_config", "api")


def merge(lower: Node, upper: Node, path: tuple[Step, ...] = ()) -> Node:
    """The document that says what `upper` says, and what `lower` says of the rest."""
    if not isinstance(lower, Entries) or not isinstance(upper, Entries):
        return upper
    gone = _replaced(lower, upper, path)
    pairs: list[tuple[Scalar, Node]] = []
    for key, value in lower.pairs:
        name = str(key.value)
        over = upper.get(name)
        if over is None and name not in gone:
            pairs.append((key, value))
        elif over is not None and not _is_null(over):
            pairs.append((upper.key(name) or key, merge(value, over, (*path, name))))
    pairs += [(key, value) for key, value in upper.pairs if lower.key(str(key.value)) is None]
    return Entries(tuple(pairs), upper.place)


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _replaced(lower: Entries, upper: Entries, path: tuple[Step, ...]) -> set[str]:
    """What goes from `lower`, beside the keys that `upper` writes itself."""
    choice = CHOICES.get(path, {})
    written = {str(key.value) for key, node in upper.pairs if not _is_null(node)}
    gone = {name for key in written for name in choice.get(key, ())}
    if path == _TARGET and _differ(lower.get("framework"), upper.get("framework")):
        gone.update(_OF_THE_FRAMEWORK)  # they are the settings of another program
    return gone


def _differ(one: Node | None, other: Node | None) -> bool:
    return isinstance(one, Scalar) and isinstance(other, Scalar) and one.value != other.value


def settle_choices(root: Node) -> tuple[Node, list[Trouble]]:
    """The document with one alternative of each choice, and what it wrote of two that exclude each other."""
    troubles: list[Trouble] = []
    for path, choice in CHOICES.items():
        node = find(root, path)
        if not isinstance(node, Entries):
            continue
        first = next((key for key in _alternatives(node, choice)), None)
        if first is None:
            continue
        excluded = [key for key in _alternatives(node, choice) if key in choice[first] and first in choice[key]]
        for key in excluded:
            where = (*path, key)
            message = f"{first} and {key} exclude each other"
            troubles.append(Trouble(key_place(root, where), format_path(path), message, "Keep one of them"))
        kept = tuple((key, value) for key, value in node.pairs if str(key.value) not in excluded)
        root = replace_at(root, path, Entries(kept, node.place))
    return root, troubles


def _alternatives(node: Entries, choice: Mapping[str, tuple[str, ...]]) -> list[str]:
    return [str(key.value) for key, value in node.pairs if str(key.value) in choice and not _is_null(value)]
