"""The ladder of token counters, and that it never goes to the network."""

from __future__ import annotations

import json
import shutil
import sys
from hashlib import sha1
from importlib import import_module
from pathlib import Path

import pytest
import tiktoken
from tokenizers import Tokenizer, models, pre_tokenizers

from llmload.domain import TokenSource
from llmload.errors import DataFileError, UsageError
from llmload.workload.prompts import plain_text
from llmload.workload.tokens import VOCABULARIES, cache_to_fill, counter_for, encodings_for, is_whole

PUBLISHED = [
    # Counts of cl100k_base as OpenAI's cookbook prints them ("How to count tokens with tiktoken").
    ("tiktoken is great!", 6),
    ("antidisestablishmentarianism", 6),
    ("2 + 2 = 4", 7),
    ("お誕生日おめでとう", 9),
]


@pytest.fixture
def vocabulary(vocabulary_file: Path, nothing_cached: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", str(vocabulary_file.parent))
    return vocabulary_file


@pytest.mark.parametrize(("text", "tokens"), PUBLISHED, ids=[text for text, _ in PUBLISHED])
def test_tiktoken_counts_what_openai_published(vocabulary: Path, text: str, tokens: int) -> None:
    counter = counter_for("gpt-4", None)
    assert (counter.source, counter.name, counter.is_of_model) == (TokenSource.TIKTOKEN, "cl100k_base", True)
    assert counter.count(text) == tokens


def test_words_of_special_tokens_in_an_answer_are_counted_as_text(vocabulary: Path) -> None:
    assert counter_for("gpt-4", None).count("<|endoftext|>") > 1


def test_a_model_that_tiktoken_does_not_know_is_counted_with_cl100k(vocabulary: Path) -> None:
    counter = counter_for("Qwen/Qwen3-14B-AWQ", None)
    assert (counter.name, counter.is_of_model) == ("cl100k_base", False)


def test_a_model_whose_own_vocabulary_is_not_here_is_counted_with_cl100k(vocabulary: Path) -> None:
    assert encodings_for("gpt-4o") == ("o200k_base", "cl100k_base")
    counter = counter_for("gpt-4o", None)
    assert (counter.name, counter.is_of_model) == ("cl100k_base", False)


def test_without_a_vocabulary_the_count_is_an_estimate(nothing_cached: Path) -> None:
    counter = counter_for("gpt-4", None)
    assert (counter.source, counter.is_of_model) == (TokenSource.ESTIMATE, False)
    assert [counter.count("x" * length) for length in (0, 1, 4, 5)] == [0, 1, 1, 2]


def test_a_damaged_vocabulary_is_left_alone_and_not_replaced(vocabulary_file: Path, nothing_cached: Path) -> None:
    damaged = nothing_cached / "data-gym-cache" / vocabulary_file.name
    damaged.parent.mkdir()
    damaged.write_bytes(vocabulary_file.read_bytes()[:-1])
    assert counter_for("gpt-4", None).source is TokenSource.ESTIMATE
    assert damaged.stat().st_size == vocabulary_file.stat().st_size - 1


def test_the_users_own_cache_is_found(vocabulary_file: Path, nothing_cached: Path) -> None:
    own = nothing_cached / "user" / "llmload" / "tiktoken"
    own.mkdir(parents=True)
    shutil.copy(vocabulary_file, own)
    assert counter_for("gpt-4", None).source is TokenSource.TIKTOKEN


def test_our_table_of_vocabularies_is_what_the_installed_tiktoken_asks_for() -> None:
    openai_public = import_module("tiktoken_ext.openai_public")
    for name, vocabulary in VOCABULARIES.items():
        constructor = getattr(openai_public, "o200k_base" if name == "o200k_harmony" else name)
        known = [constant for constant in constructor.__code__.co_consts if isinstance(constant, str)]
        address = next(constant for constant in known if constant.startswith("https://"))
        assert vocabulary.file == sha1(address.encode()).hexdigest()
        assert vocabulary.sha256 in known
    assert set(VOCABULARIES) == set(tiktoken.list_encoding_names()) - {"gpt2"}  # gpt2 needs two files


def test_our_words_are_one_token_each(vocabulary: Path) -> None:
    assert counter_for("gpt-4", None).count(plain_text(512)) == 512


def test_the_models_tokenizer_file_comes_first(vocabulary: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "the": 1, "cat": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    file = tmp_path / "tokenizer.json"
    tokenizer.save(str(file))
    counter = counter_for("gpt-4", str(file))
    assert (counter.source, counter.name, counter.is_of_model) == (TokenSource.TOKENIZER, "tokenizer.json", True)
    assert counter.count("the cat the dog") == 4


@pytest.mark.parametrize(
    "content",
    [pytest.param(None, id="missing"), pytest.param("{}", id="no tokenizer"), pytest.param("{", id="no JSON")],
)
def test_a_file_that_is_no_tokenizer_is_told_by_name(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "tokenizer.json"
    if content is not None:
        file.write_text(content)
    told = r"tokenizer\.json: (not a tokenizer|cannot be read: no such file).* Name the tokenizer\.json of the model"
    with pytest.raises(DataFileError, match=told):
        counter_for("m", str(file))


def test_what_breaks_the_library_in_rust_is_told_as_well(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]")).save(str(file))
    document = json.loads(file.read_text())
    document["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": ""}
    file.write_text(json.dumps(document))
    with pytest.raises(DataFileError, match=r"tokenizer\.json: not a tokenizer \(Precompiled"):
        counter_for("m", str(file))


def test_a_tokenizer_that_cannot_count_every_text_is_told_before_it_has_to(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    Tokenizer(models.WordLevel({"the": 0}, unk_token="[UNK]")).save(str(file))
    with pytest.raises(DataFileError, match=r"not a tokenizer .*Missing \[UNK\]"):
        counter_for("m", str(file))


def test_a_tokenizer_larger_than_any_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "tokenizer.json").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(DataFileError, match="is larger than 256 MB"):
        counter_for("m", str(tmp_path / "tokenizer.json"))


def test_lengths_that_a_tokenizer_was_trained_on_change_no_count(tmp_path: Path) -> None:
    """Files of encoders say that texts are cut and filled up to so many tokens."""
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "the": 1}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.enable_truncation(8)
    tokenizer.enable_padding(length=8)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    count = counter_for("m", str(tmp_path / "tokenizer.json")).count
    assert (count("the cat"), count("the " * 20)) == (2, 20)


def test_a_vocabulary_that_anybody_may_have_put_there_is_read_within_bounds(nothing_cached: Path) -> None:
    folder = cache_to_fill()
    folder.mkdir(parents=True)
    with (folder / VOCABULARIES["cl100k_base"].file).open("wb") as file:
        file.truncate(2**40)
    assert not is_whole(VOCABULARIES["cl100k_base"], folder)


def test_without_the_extra_the_remedy_is_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)  # what a machine without the extra imports
    with pytest.raises(UsageError, match=r"pip install 'llmload\[hf\]'"):
        counter_for("m", str(tmp_path / "other.json"))
