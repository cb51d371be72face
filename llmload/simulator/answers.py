"""What the simulated model says: words of one token each, where it stops, and how they become bytes on the wire."""

from __future__ import annotations

from hashlib import blake2b

_WORDS = """
the and for are object that def con class method return value list name type data file line time call user with from
this not can all one new set get use key map run end code test item next open read page work part form case long
over also after first where which there their other would about these into more some could them than then now only
its look come made may water day did down been find any each way who people may side give most very through just
great think say help low turn cause much mean before move right boy old too same tell does want air well play small
home hand port large spell add even land here must big high such follow act why ask men change went light kind off
need house picture try us again animal point mother world near build self earth father head stand own should country
found answer school grow study still learn plant cover food sun four between state keep eye never last let thought
"""
WORDS = tuple(_WORDS.split())


def digest_of(prompt: str, seed: int) -> int:
    """64 bits that depend on the prompt and the simulator's seed alone: the same prompt gets the same answer."""
    told = blake2b(prompt.encode("utf-8", "surrogatepass"), digest_size=8, salt=(seed % 2**64).to_bytes(8, "little"))
    return int.from_bytes(told.digest(), "little")


def stop_length(digest: int, mean_tokens: int) -> int:
    """How long the model would talk by itself: uniform from 1 to about twice the mean, drawn by the prompt."""
    return 1 + digest // len(WORDS) % (2 * mean_tokens - 1)


def word_index(digest: int, place: int) -> int:
    """Which of WORDS stands at a place of the answer; answers walk round the list from a start of their own."""
    return (digest + place) % len(WORDS)


def answer_text(digest: int, tokens: int) -> str:
    """The first `tokens` words, each with the blank before it, as they are streamed."""
    return "".join(f" {WORDS[word_index(digest, place)]}" for place in range(tokens))
