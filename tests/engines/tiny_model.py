"""Makes a tiny language model on the spot, without a download: real servers load it in a second.

Its weights are arranged by hand so that the next token depends on the last one only, with a probability of nearly 1 at
any usual temperature: every answer is the same 40 whole words, one token each, and then the end of the turn. So a
server that honours the end of the turn answers with exactly 41 tokens, and every count can be asserted.

How: attention and MLP add nothing, so the last hidden state is the normalised embedding of the last token. The output
row of token j is the embedding of the token that must come before j, and random embeddings are nearly orthogonal, so j
wins by a wide margin.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from pydoc_data.topics import topics

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from tests.engines.gguf_file import Vocabulary, Weights, idle_layer, write_gguf
from tests.engines.hf_folder import write_folder

ANSWER_TOKENS = 41
"""Words of every answer, plus the end of the turn."""

PAD, _USER, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_VOCABULARY, _HIDDEN, _LAYERS = 1024, 128, 2


@dataclass(frozen=True, slots=True)
class TinyModel:
    """The files of a model: one for llama.cpp, a folder for vLLM, its tokenizer, and the words of every answer."""

    gguf: Path
    folder: Path
    tokenizer: Path
    words: tuple[str, ...]


def make_tiny_model(directory: Path) -> TinyModel:
    """Write the model into `directory`; about a second, six megabytes."""
    tokenizer = make_tokenizer()
    folder = directory / "tiny"
    words = tuple(tokenizer.decode([word]) for word in _whole_words(tokenizer, ANSWER_TOKENS - 1))
    model = TinyModel(directory / "tiny.gguf", folder, folder / "tokenizer.json", words)
    index = tokenizer.get_vocab()
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    vocabulary = Vocabulary(
        pieces=sorted(index, key=index.__getitem__),
        merges=[merge if isinstance(merge, str) else " ".join(merge) for merge in merges],
        special=frozenset({PAD, _USER, END}),
        end=index[END],
        pretokenizer="gpt-2",
    )
    weights = _make_weights(tokenizer)
    write_gguf(model.gguf, vocabulary, weights)
    write_folder(folder, tokenizer, END, weights)
    return model


def make_tokenizer() -> Tokenizer:
    """A byte-level BPE, so that any text can be encoded, of the English that every Python carries: its help topics."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=[PAD, _USER, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([topics[name] for name in sorted(topics)], trainer)
    return tokenizer


def _whole_words(tokenizer: Tokenizer, count: int) -> list[int]:
    """`count` tokens that each read as one lower-case word with a space before it."""
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    found = [
        index
        for piece, index in pieces
        if piece.startswith("\u0120") and len(piece) > 3 and piece[1:].isascii() and piece[1:].islower()
        if piece[1:].isalpha()
    ]
    return found[:count]


def _make_weights(tokenizer: Tokenizer) -> Weights:
    draw = np.random.default_rng(0)
    embedding, output = _chain(tokenizer, draw)
    weights = {"token_embd.weight": embedding, "output.weight": output}
    for layer in range(_LAYERS):
        weights |= idle_layer(layer, _HIDDEN, draw)
    return weights


def _chain(tokenizer: Tokenizer, draw: np.random.Generator) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Embeddings, and output rows under which each word of the answer leads to the next."""
    size = tokenizer.get_vocab_size()
    embedding = draw.standard_normal((size, _HIDDEN)).astype(np.float32)
    embedding *= np.sqrt(_HIDDEN) / np.linalg.norm(embedding, axis=1, keepdims=True)  # the final norm keeps it so
    output = np.zeros((size, _HIDDEN), np.float32)
    chain = [*_whole_words(tokenizer, ANSWER_TOKENS - 1), tokenizer.token_to_id(END)]
    for before, after in pairwise(chain):
        output[after] += embedding[before]
    output[chain[0]] += embedding[chain[-1]]
    # All other tokens lead to the first word. A sum of a thousand embeddings would drown in noise, so one hidden
    # direction is kept for them: far from 0 outside the answer, 0 inside.
    others = [token for token in range(size) if token not in set(chain)]
    embedding[:, 0] = 0
    output[:, 0] = 0
    embedding[others, 0] = 2 * np.sqrt(_HIDDEN)
    output[chain[0], 0] = 8
    return embedding, output
