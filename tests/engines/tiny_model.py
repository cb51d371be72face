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
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from pydoc_data.topics import topics

import gguf
import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

ANSWER_TOKENS = 41
"""Words of every answer, plus the end of the turn."""

_PAD, _USER, _END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
_VOCABULARY, _HIDDEN, _LAYERS, _HEADS, _CONTEXT = 1024, 128, 2, 2, 4096
_HEAD_SIZE, _MLP = _HIDDEN // _HEADS, 2 * _HIDDEN
_CHAT_TEMPLATE = (
    "{%- for m in messages %}{{- '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\n' }}{%- endif %}"
)

Weights = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class TinyModel:
    """The files of a model: weights for llama.cpp, and its tokenizer as Hugging Face stores it."""

    gguf: Path
    tokenizer: Path


def make_tiny_model(directory: Path) -> TinyModel:
    """Write the model into `directory`; about a second, three megabytes."""
    tokenizer = _make_tokenizer()
    model = TinyModel(directory / "tiny.gguf", directory / "tokenizer.json")
    tokenizer.save(str(model.tokenizer))
    _write_gguf(model.gguf, tokenizer, _make_weights(tokenizer))
    return model


def _make_tokenizer() -> Tokenizer:
    """A byte-level BPE, so that any text can be encoded, of the English that every Python carries: its help topics."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=[_PAD, _USER, _END],
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

    def noise(*shape: int) -> npt.NDArray[np.float32]:
        return (draw.standard_normal(shape) * 0.05).astype(np.float32)

    embedding, output = _chain(tokenizer, draw)
    weights = {
        "token_embd.weight": embedding,
        "output_norm.weight": np.ones(_HIDDEN, np.float32),
        "output.weight": output,
    }
    for layer in range(_LAYERS):
        block = f"blk.{layer}."
        weights[block + "attn_norm.weight"] = np.ones(_HIDDEN, np.float32)
        weights[block + "ffn_norm.weight"] = np.ones(_HIDDEN, np.float32)
        weights[block + "attn_q.weight"] = noise(_HIDDEN, _HIDDEN)
        weights[block + "attn_k.weight"] = noise(_HEAD_SIZE, _HIDDEN)
        weights[block + "attn_v.weight"] = noise(_HEAD_SIZE, _HIDDEN)
        weights[block + "ffn_gate.weight"] = noise(_MLP, _HIDDEN)
        weights[block + "ffn_up.weight"] = noise(_MLP, _HIDDEN)
        # the layers compute, but add nothing
        weights[block + "attn_output.weight"] = np.zeros((_HIDDEN, _HIDDEN), np.float32)
        weights[block + "ffn_down.weight"] = np.zeros((_HIDDEN, _MLP), np.float32)
    return weights


def _chain(tokenizer: Tokenizer, draw: np.random.Generator) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Embeddings, and output rows under which each word of the answer leads to the next."""
    size = tokenizer.get_vocab_size()
    embedding = draw.standard_normal((size, _HIDDEN)).astype(np.float32)
    embedding *= np.sqrt(_HIDDEN) / np.linalg.norm(embedding, axis=1, keepdims=True)  # the final norm keeps it so
    output = np.zeros((size, _HIDDEN), np.float32)
    chain = [*_whole_words(tokenizer, ANSWER_TOKENS - 1), tokenizer.token_to_id(_END)]
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


def _write_gguf(path: Path, tokenizer: Tokenizer, weights: Weights) -> None:
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("tiny")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(_CONTEXT)
    writer.add_embedding_length(_HIDDEN)
    writer.add_block_count(_LAYERS)
    writer.add_feed_forward_length(_MLP)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(1)
    writer.add_rope_dimension_count(_HEAD_SIZE)
    writer.add_key_length(_HEAD_SIZE)
    writer.add_value_length(_HEAD_SIZE)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    _write_vocabulary(writer, tokenizer)
    for name, weight in weights.items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _write_vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    vocabulary = tokenizer.get_vocab()
    pieces = sorted(vocabulary, key=vocabulary.__getitem__)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    end = vocabulary[_END]
    writer.add_vocab_size(len(pieces))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(pieces)
    writer.add_token_types(
        [
            gguf.TokenType.CONTROL if piece in (_PAD, _USER, _END) else gguf.TokenType.NORMAL  # as the server sees it
            for piece in pieces
        ]
    )
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in merges])
    writer.add_eos_token_id(end)
    writer.add_eot_token_id(end)
    writer.add_pad_token_id(vocabulary[_PAD])
    writer.add_add_bos_token(False)
    writer.add_chat_template(_CHAT_TEMPLATE)
