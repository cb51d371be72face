"""Writes a Llama-shaped model as a folder of Hugging Face, which vLLM, SGLang and transformers load."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer

from tests.engines.gguf_file import CHAT_TEMPLATE, CONTEXT, HEADS, Weights

_NAMES = {
    "token_embd": "embed_tokens",
    "output_norm": "norm",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}
"""What llama.cpp calls a weight, and what Hugging Face calls it."""


def write_folder(folder: Path, tokenizer: Tokenizer, end: str, weights: Weights) -> None:
    """Weights of `gguf_file`, the tokenizer, and the files that say how to read both; `end` is the end of a turn.

    The rotary halves of Q and K stay in llama.cpp's order: layers that add nothing do not care.
    """
    folder.mkdir(parents=True)
    size, hidden = weights["token_embd.weight"].shape
    stop = tokenizer.token_to_id(end)
    shape = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": hidden,
        "intermediate_size": 2 * hidden,
        "num_hidden_layers": sum(name.endswith("attn_norm.weight") for name in weights),
        "num_attention_heads": HEADS,
        "num_key_value_heads": 1,
        "head_dim": hidden // HEADS,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
        "vocab_size": size,
        "tie_word_embeddings": False,
        "bos_token_id": None,
        "eos_token_id": stop,
        "torch_dtype": "float32",
    }
    texts = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": CONTEXT,
        "eos_token": end,
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
    (folder / "config.json").write_text(json.dumps(shape))
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": stop, "do_sample": False}))
    (folder / "tokenizer_config.json").write_text(json.dumps(texts))
    tokenizer.save(str(folder / "tokenizer.json"))
    whole = {**weights, "output_norm.weight": np.ones(hidden, np.float32)}
    named = {_rename(name): np.ascontiguousarray(weight) for name, weight in whole.items()}
    save_file(named, str(folder / "model.safetensors"), metadata={"format": "pt"})


def _rename(name: str) -> str:
    match name.removesuffix(".weight").split("."):
        case ["output"]:
            return "lm_head.weight"
        case ["blk", layer, part]:
            return f"model.layers.{layer}.{_NAMES[part]}.weight"
        case [part]:
            return f"model.{_NAMES[part]}.weight"
        case _:
            raise ValueError(name)
