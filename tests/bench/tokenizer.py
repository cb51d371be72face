"""A tokenizer as Hugging Face stores one, made on the spot: other load tools want one to make their prompts."""

from __future__ import annotations

import json
from pathlib import Path

from tests.engines.tiny_model import END, PAD, make_tokenizer

_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def make_tokenizer_folder(folder: Path) -> None:
    """What `AutoTokenizer.from_pretrained(folder)` reads, without a network."""
    folder.mkdir()
    make_tokenizer().save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": END,
        "pad_token": PAD,
        "model_max_length": 32_768,
        "chat_template": _TEMPLATE,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    (folder / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 1024}))
