"""How words become the server's tokens: a line through three trial prompts, by whoever counts best."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable

import orjson

from llmload.domain import TokenFit, TokenSource
from llmload.target.server import Disconnected
from llmload.target.trial import Answered, Trial
from llmload.workload.prompts import plain_text
from llmload.workload.tokens import TokenCounter
from llmload.workload.words import WORDS

ONE_WORD = WORDS[0]
_LONG_WORDS = 256  # one round of the endless text, which says every word once
_SHORT_WORDS = 64
_FEWEST_WORDS = 8
_FEWEST_TOKENS_PER_WORD = 0.25  # below, the server does not count the prompt, and ours would become endless
_TOKENS_PER_WORD = 3  # more than a vocabulary of 1,000 needs for our words: a guess at what fits the context


def fit_words(
    trial: Trial, one_word_tokens: int | None, context: int | None, counter: Callable[[], TokenCounter]
) -> TokenFit:
    """The fit of the server's own count; where it tells none, of its `/tokenize`; else of `counter`.

    `one_word_tokens` is what it told of ONE_WORD. Sends two more requests, shorter ones where they do not fit.
    """
    if one_word_tokens is not None:
        points = [_largest_taken(trial, words) for words in _lengths(context)]
        told = [(words, tokens) for words, tokens in points if tokens is not None]
        if fit := fit_line(one_word_tokens, told, TokenSource.USAGE):
            return fit
    asked = [(words, _tokenize(trial, plain_text(words))) for words in _lengths(context)]
    first = _tokenize(trial, ONE_WORD)
    known = [(words, tokens) for words, tokens in asked if tokens is not None]
    if first is not None and (fit := fit_line(first, known, TokenSource.TOKENIZER)):
        return fit
    here = counter()
    counted = [(words, here.count(plain_text(words))) for words in (_SHORT_WORDS, _LONG_WORDS)]
    fit = fit_line(here.count(ONE_WORD), counted, here.source)
    return fit or TokenFit(0.0, 1.0, 1.0, here.source)


def fit_line(one_word_tokens: int, points: Iterable[tuple[int, int]], source: TokenSource) -> TokenFit | None:
    """Fit tokens = template + per_word x words through (words, tokens) `points`; None where they hardly rise.

    The template is what one word costs, less one; per_word is the least-squares slope over that; residual the
    largest relative error at a point.
    """
    template = float(max(0, one_word_tokens - 1))
    known = [(words, tokens) for words, tokens in points if words > 1]
    if not known:
        return None
    per_word = sum(words * (tokens - template) for words, tokens in known) / sum(words * words for words, _ in known)
    if per_word < _FEWEST_TOKENS_PER_WORD:
        return None
    residual = max(abs(template + per_word * words - tokens) / max(1, tokens) for words, tokens in known)
    return TokenFit(template, per_word, residual, source)


def _lengths(context: int | None) -> tuple[int, int]:
    """A short prompt and a long one, which says every word once wherever the context has room for that."""
    room = _LONG_WORDS if context is None else max(_FEWEST_WORDS, context // _TOKENS_PER_WORD)
    return min(_SHORT_WORDS, max(_FEWEST_WORDS // 2, room // 4)), min(_LONG_WORDS, room)


def _largest_taken(trial: Trial, words: int) -> tuple[int, int | None]:
    """The server's count for `words` words, or for half as many until it takes them."""
    while True:
        answer = trial.ask(plain_text(words))
        if isinstance(answer, Answered):
            return words, answer.input_tokens
        if words <= _FEWEST_WORDS:
            return words, None
        words //= 2


def _tokenize(trial: Trial, text: str) -> int | None:
    """The count of `/tokenize`, as vLLM and llama.cpp have it; None where there is none."""
    model = trial.endpoint.model
    asked: list[dict[str, object]] = [{"model": model, "prompt": text, "content": text}]
    if trial.endpoint.api == "chat":  # counts the chat template too
        asked.insert(0, {"model": model, "messages": [{"role": "user", "content": text}]})
    for document in asked:
        try:
            reply = trial.server.post("/tokenize", orjson.dumps(document))
            told = json.loads(reply.body) if reply.is_success else None
        except (Disconnected, ValueError, RecursionError):
            continue
        if not isinstance(told, dict):
            continue
        count, tokens = told.get("count"), told.get("tokens")
        count = len(tokens) if count is None and isinstance(tokens, list) else count
        if type(count) is int and count > 0:
            return count
    return None
