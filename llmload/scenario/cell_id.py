"""The name of one cell of a matrix: readable, the same whatever order its keys are written in, a word to any shell."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from llmload.scenario.secrets import scrub_url
from llmload.scenario.tree import Items, Node, Scalar, plain

LONGEST_ID = 80
"""Characters of an id; a longer one is cut, and ends in a hash."""

_HASH_DIGITS = 8
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")  # of one value: "+", "," and "=" join values and pairs


def spelled(node: Node) -> str:
    """A value as text: a single one as YAML spells it, any other as JSON. Equal values have equal texts."""
    if not isinstance(node, Scalar):
        return json.dumps(plain(node), sort_keys=True, ensure_ascii=False)
    match node.value:
        case None:
            return "null"
        case bool(value):
            return "true" if value else "false"
        case value:
            return str(value)


def cell_id(values: Mapping[str, Node]) -> str:
    """`key=value` pairs by their keys in order, each key by its last step where that tells it from the others.

    Where characters had to go, or it is too long, it ends in the start of a SHA-256 of the pairs.
    """
    names = _names(tuple(sorted(values)))
    pairs = [(name, _word(values[key])) for key, name in names.items()]
    text = ",".join(f"{name}={word}" for name, (word, _) in pairs)
    if len(text) <= LONGEST_ID and all(is_whole for _, (_, is_whole) in pairs):
        return text
    whole = "\n".join(f"{key}={_told(values[key])}" for key in names)
    digest = hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()[:_HASH_DIGITS]
    return f"{text[: LONGEST_ID - _HASH_DIGITS - 1].rstrip('-')}-{digest}"


def _names(keys: tuple[str, ...]) -> dict[str, str]:
    """What stands for each key: its end, or the whole of it where two end alike or, as an id, it would be an option.

    `gates[0]` is spelled gates.0.
    """
    last = [key.rpartition(".")[2] for key in keys]
    is_short = (last.count(name) == 1 and not name.startswith("-") for name in last)
    shown = (name if short else key for key, name, short in zip(keys, last, is_short, strict=True))
    return {key: name.replace("[", ".").replace("]", "") for key, name in zip(keys, shown, strict=True)}


def _word(node: Node) -> tuple[str, bool]:
    """The value as a word, and whether all of it is there; a list of single values is joined by +."""
    if isinstance(node, Items) and node.nodes and all(isinstance(each, Scalar) for each in node.nodes):
        words = [_word(each) for each in node.nodes]
        return "+".join(word for word, _ in words), all(is_whole for _, is_whole in words)
    text = _told(node)
    word = _UNSAFE.sub("-", text).strip("-") if _UNSAFE.search(text) else text
    return word, word == text and bool(word)


def _told(node: Node) -> str:
    """The value without the password that a URL may hold."""
    text = spelled(node)
    return scrub_url(text) if isinstance(node, Scalar) and "://" in text else text
