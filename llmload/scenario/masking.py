"""The document's text without its secrets: what is stored, and what an error may quote."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from llmload.scenario.secrets import MASK, names_secret, secret_argument
from llmload.scenario.tree import Node, Place, Scalar, Step, lines_of, scalars

_USER_INFO = re.compile(r"(?<=://)[^/\s\"'@]+(?=@)")
_QUERY = re.compile(r"(?<=[?&])([^?=&\s\"'#]+=)([^&\s\"'#}\]]+)")
_URL = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s\"']+")  # bounded: a megabyte of letters must stay cheap
_REFERENCE_ONLY = re.compile(r"(\w+ )?\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BLOCK_KEY = re.compile(r"^(\s*)(?:- )?[\"']?([\w.-]+)[\"']?\s*:")

Replacement = Callable[[str], str]


def scrub_text(text: str, root: Node | None) -> str:
    """The text to keep, with `***` for every literal secret."""
    return _replace(text, root, lambda _: MASK)


def quotable_lines(text: str, root: Node | None) -> tuple[str, ...]:
    """The lines that an error may show; secrets are starred out without moving a column."""
    return lines_of(_replace(text, root, lambda raw: re.sub(r"[^\r\n]", "*", raw)))


def quotable_sets(sets: Sequence[str]) -> tuple[str, ...]:
    """The `--set` arguments that an error may show."""
    return tuple(_quotable_set(text) for text in sets)


def _quotable_set(text: str) -> str:
    where, equals, value = text.partition("=")
    if is_secret_path(tuple(where.split("."))):
        return where + equals + "*" * len(value)
    return "".join(quotable_lines(text, Scalar(None, Place("--set", 1, 1)))).replace("\n", " ")


def _replace(text: str, root: Node | None, masked: Replacement) -> str:
    text = text.removeprefix("\ufeff")
    if root is None:
        text = "".join(_mask_suspect_lines(text, masked))
    else:
        for start, end in sorted(_secret_spans(root), reverse=True):
            raw = text[start:end]
            kept = len(raw) - len(raw.rstrip())
            text = text[:start] + masked(raw.rstrip()) + raw[len(raw) - kept :] + text[end:]
    return _URL.sub(lambda url: _scrub_url_text(url[0], masked), text)


def _scrub_url_text(url: str, masked: Replacement) -> str:
    without_user = _USER_INFO.sub(lambda found: masked(found[0]), url)
    return _QUERY.sub(lambda found: found[1] + masked(found[2]), without_user)


def _secret_spans(root: Node) -> Iterator[tuple[int, int]]:
    for scalar in secrets_in(root):
        if scalar.span != (0, 0) and not _is_reference(scalar):
            yield scalar.span


def secrets_in(root: Node, path: tuple[Step, ...] = ()) -> Iterator[Scalar]:
    """The values of a tree, which stands at `path`, that stand where a literal would be a secret."""
    before = ""  # the argument that stands before this one, in a command
    for below, scalar in scalars(root, path):
        in_command = "command" in _keys(below)[-1:]
        is_argument = in_command and secret_argument(before, str(scalar.value)) is not None
        before = str(scalar.value)
        if is_argument or is_secret_path(below, scalar.value):
            yield scalar


def _keys(path: tuple[Step, ...]) -> list[str]:
    """The names on the way, with those that a key of a matrix names at once, such as `target.headers.X-Route`."""
    return [key for step in path if isinstance(step, str) for key in step.split(".")]


def _is_reference(scalar: Scalar) -> bool:
    return scalar.value is None or (isinstance(scalar.value, str) and bool(_REFERENCE_ONLY.fullmatch(scalar.value)))


def is_secret_path(path: tuple[Step, ...], value: object = None) -> bool:
    """Whether a literal at this place would be a secret: every header, and whatever is called key or token.

    `{env: NAME}` and `{file: path}` are no secrets, unless somebody wrote the key itself where its name belongs.
    """
    keys = _keys(path)
    if "headers" in keys[:-1] or ("headers" in keys and isinstance(path[-1], int)):
        return True
    if keys and keys[-1].endswith("url") and isinstance(value, str) and "@" in value and "://" not in value:
        return True  # no URL yet, but somebody's password may stand in it
    if not keys or not any(names_secret(key) for key in keys[-2:]):
        return False
    if keys[-1] == "env":
        return not _NAME.fullmatch(str(value))
    return keys[-1] != "file"


def _mask_suspect_lines(text: str, masked: Replacement) -> Iterator[str]:
    """Where the YAML cannot be read there is no tree to tell secrets by: go by keys and indentation."""
    inside: int | None = None
    for line in re.split(r"(?<=\n)", text):
        found = _BLOCK_KEY.match(line)
        indent = len(line) - len(line.lstrip())
        if inside is not None and line.strip() and indent <= inside:
            inside = None
        opens = found is not None and (found[2] == "headers" or names_secret(found[2]))
        if inside is None and not opens:
            yield line
            continue
        start = found.end() if found else indent
        body = line[start:].rstrip()
        yield line[:start] + (masked(body) if body else "") + line[start + len(body) :]
        inside = indent if inside is None else inside
