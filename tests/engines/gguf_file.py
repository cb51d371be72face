"""Writes a Llama-shaped model that llama.cpp loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

HEADS, CONTEXT = 2, 4096
CHAT_TEMPLATE = (
    "{%- for m in messages %}{{- '<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>\\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)

Weights = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """A byte-level BPE: pieces by index, merges best first, and the name llama.cpp gives to its splitting of words."""

    pieces: Sequence[str]
    merges: Sequence[str]
    special: frozenset[str]
    end: int
    pretokenizer: str


def idle_layer(layer: int, hidden: int, draw: np.random.Generator) -> Weights:
    """A layer that computes, but adds nothing."""

    def noise(*shape: int) -> npt.NDArray[np.float32]:
        return (draw.standard_normal(shape) * 0.05).astype(np.float32)

    block = f"blk.{layer}."
    return {
        block + "attn_norm.weight": np.ones(hidden, np.float32),
        block + "ffn_norm.weight": np.ones(hidden, np.float32),
        block + "attn_q.weight": noise(hidden, hidden),
        block + "attn_k.weight": noise(hidden // HEADS, hidden),
        block + "attn_v.weight": noise(hidden // HEADS, hidden),
        block + "ffn_gate.weight": noise(2 * hidden, hidden),
        block + "ffn_up.weight": noise(2 * hidden, hidden),
        block + "attn_output.weight": np.zeros((hidden, hidden), np.float32),
        block + "ffn_down.weight": np.zeros((hidden, 2 * hidden), np.float32),
    }


def write_gguf(path: Path, vocabulary: Vocabulary, weights: Weights) -> None:
    """One file with everything: shape, vocabulary, chat template and weights (embeddings, output rows, layers)."""
    size, hidden = weights["token_embd.weight"].shape
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name("tiny")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(hidden)
    writer.add_block_count(sum(name.endswith("attn_norm.weight") for name in weights))
    writer.add_feed_forward_length(2 * hidden)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(1)
    writer.add_rope_dimension_count(hidden // HEADS)
    writer.add_key_length(hidden // HEADS)
    writer.add_value_length(hidden // HEADS)
    writer.add_rope_freq_base(10_000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_vocab_size(size)
    _add_vocabulary(writer, vocabulary)
    for name, weight in {**weights, "output_norm.weight": np.ones(hidden, np.float32)}.items():
        writer.add_tensor(name, weight)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    kinds = {True: gguf.TokenType.CONTROL, False: gguf.TokenType.NORMAL}
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pretokenizer)
    writer.add_token_list(vocabulary.pieces)
    writer.add_token_types([kinds[piece in vocabulary.special] for piece in vocabulary.pieces])
    writer.add_token_merges(vocabulary.merges)
    writer.add_eos_token_id(vocabulary.end)
    writer.add_eot_token_id(vocabulary.end)
    writer.add_pad_token_id(vocabulary.end)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)
