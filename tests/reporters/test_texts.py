"""The catalogues of report texts: nothing missing, nothing left over, the same placeholders in every language."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from string import Formatter

import pytest

import llmload
from llmload.reporters.texts import Language, Texts, texts_in

ENGLISH = texts_in(Language.EN)
OTHERS = [pytest.param(texts_in(each), id=each.value) for each in Language if each is not Language.EN]
SOURCE = Path(llmload.__file__).parent
TABLES = {key.partition(".")[0] for key in ENGLISH.entries}

TERMS = frozenset(
    """A n n/a deff HTTP %p GPU MIG TTFT TTFO TPOT E2E SLO p50 p95 p99 ms s tok GiB GB W USD C sha256 llmload""".split()  # noqa: SIM905
)
"""What a Korean report says in Latin letters alone: names of metrics, units and symbols."""


def without_plurals(texts: Texts) -> set[str]:
    """Keys, with the forms of a counted entry as one: not every language has a singular of its own."""
    counted = {key.removesuffix(".other") for key in texts.entries if key.endswith(".other")}
    return {key for key in texts.entries if key.rpartition(".")[0] not in counted} | counted


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def pattern_of(node: ast.AST, filled: str) -> str | None:
    """What a string may be, as a pattern with `filled` wherever something is filled in; None for what is no string."""
    match node:
        case ast.Constant(value=str(text)):
            return re.escape(text)
        case ast.JoinedStr(values=parts):
            return "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else filled for part in parts)
    return None


def keys_of(tree: ast.AST) -> Iterator[ast.AST]:
    """What is looked up in a catalogue: `texts["..."]`, `texts.counted("..." if ... else "...", n)`."""
    for node in ast.walk(tree):
        match node:
            case (
                ast.Subscript(value=ast.Name(id="texts") | ast.Attribute(attr="texts"), slice=key)
                | ast.Call(func=ast.Attribute(attr="counted", value=ast.Name(id="texts")), args=[key, *_])
            ):
                yield from (key.body, key.orelse) if isinstance(key, ast.IfExp) else (key,)


def patterns(nodes: Iterable[ast.AST], filled: str) -> set[str]:
    return {pattern for node in nodes if (pattern := pattern_of(node, filled)) is not None}


@cache
def trees() -> list[ast.Module]:
    """The sources that say something; read by the tests that ask for them, not by every process that collects them."""
    places = [path for folder in ("reporters", "cli", "site") for path in sorted((SOURCE / folder).rglob("*.py"))]
    return [ast.parse(path.read_text("utf-8")) for path in places]


@cache
def nodes() -> list[ast.AST]:
    return [node for tree in trees() for node in ast.walk(tree)]


@cache
def templates() -> list[str]:
    folders = (SOURCE / folder / "templates" for folder in ("reporters", "site"))
    return [path.read_text("utf-8") for folder in folders for path in sorted(folder.iterdir())]


ANY = "[a-z0-9]+"
WORD = r"(\w+)"
"""Where a key that is put together has a word that is written somewhere too, or names a member such as FAIL."""
QUOTED = r"""["']([a-z0-9_]+\.[a-z0-9_.]*)["']"""


@cache
def word() -> re.Pattern[str]:
    """What may stand where a key has a `WORD`."""
    found = {
        each
        for each in patterns(nodes(), ANY)
        if re.fullmatch(r"\w+", each.replace(ANY, "x")) and each.replace(ANY, "")
    }
    found |= {each for text in templates() for each in re.findall(r"""["'](\w+)["']""", text)}
    found |= {node.attr.lower() for node in nodes() if isinstance(node, ast.Attribute) and node.attr.isupper()}
    return re.compile("|".join(sorted(found)))


def quoted(before: str) -> set[str]:
    """Patterns of the keys in templates; one that ends in a full stop is put together: `texts["metric." ~ name]`."""
    found = {key for text in templates() for key in re.findall(f"{before}{QUOTED}", text)}
    return {re.escape(key) + (WORD if key.endswith(".") else "") for key in found}


def is_told(key: str, pattern: re.Pattern[str]) -> bool:
    """Whether a key is what the pattern says, with words filled in that are written somewhere."""
    match = pattern.fullmatch(key)
    return match is not None and all(word().fullmatch(each) for each in match.groups())


@pytest.mark.parametrize("texts", OTHERS)
def test_every_language_has_the_same_texts(texts: Texts) -> None:
    assert without_plurals(texts) == without_plurals(ENGLISH)


@pytest.mark.parametrize("texts", OTHERS)
def test_every_language_fills_in_the_same_figures(texts: Texts) -> None:
    for key, text in texts.entries.items():
        assert placeholders(text) == placeholders(ENGLISH[key]), key


@pytest.mark.parametrize("texts", [texts_in(each) for each in Language])
def test_no_text_is_empty(texts: Texts) -> None:
    assert [key for key, text in texts.entries.items() if not text.strip()] == []


def test_a_counted_text_has_the_count_in_each_of_its_forms() -> None:
    for key in (key for key in ENGLISH.entries if key.startswith("counted.")):
        assert key.endswith((".one", ".other"))
        assert placeholders(ENGLISH[key]) == {"count"}


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "1 look"), (2000, "2,000 looks"), ("1", "1 look"), ("1.5", "1.5 looks"), (0, "0 looks")],
)
def test_a_count_takes_its_plural(count: int | str, words: str) -> None:
    assert ENGLISH.counted("counted.look", count) == words


def test_no_text_is_left_over() -> None:
    said = patterns(nodes(), WORD) | quoted("")
    together = [re.compile(each) for each in said if WORD in each and each.partition("\\.")[0] in TABLES]
    unsaid = (key for key in sorted(without_plurals(ENGLISH)) if re.escape(key) not in said)
    assert [key for key in unsaid if not any(is_told(key, each) for each in together)] == []


def test_no_text_is_missing() -> None:
    asked = patterns((key for tree in trees() for key in keys_of(tree)), WORD) | quoted(r"(?:texts\[|fill\()")
    known = without_plurals(ENGLISH)
    unknown = (re.compile(each) for each in sorted(asked - {re.escape(key) for key in known}))
    assert [each.pattern for each in unknown if not any(is_told(key, each) for key in known)] == []


def is_korean(text: str) -> bool:
    bare = re.sub(r"\{\w+\}", "", text)
    return bool(re.search("[가-힣]", bare)) or set(re.findall("n/a|%p|[A-Za-z][A-Za-z0-9]*", bare)) <= TERMS


def test_korean_is_korean_but_for_terms_that_stay() -> None:
    texts = texts_in(Language.KO)
    assert {key: text for key, text in texts.entries.items() if not is_korean(text)} == {}


@pytest.mark.parametrize("language", list(Language))
def test_an_unknown_text_is_an_error_and_not_silence(language: Language) -> None:
    with pytest.raises(KeyError, match=r"heading\.nonsense"):
        texts_in(language)["heading.nonsense"]
