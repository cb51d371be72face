"""Tokens, answers, fates and settings: the parts that depend on nothing but their arguments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.errors import UsageError
from llmload.scenario.asked import Faults, SecretRef, Simulator
from llmload.simulator.answers import WORDS, answer_text, digest_of, stop_length
from llmload.simulator.faults import Fault, Misfortune, token_of
from llmload.simulator.profiles import PROFILES, machine_of
from llmload.simulator.settings import decode, encode, from_words
from llmload.simulator.tokens import block_hashes, chat_tokens, token_id, tokens_of


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("", 0, id="nothing"),
        pytest.param("  \n\t ", 0, id="white space costs nothing"),
        pytest.param("the", 1, id="a short word"),
        pytest.param("eightish", 1, id="eight characters"),
        pytest.param("ninechars", 2, id="nine characters"),
        pytest.param("antidisestablishmentarianism", 4, id="a very long word"),
        pytest.param("well, well...", 6, id="every mark is a token"),
        pytest.param("größer 漢字", 2, id="letters of any script"),
    ],
)
def test_tokens_can_be_counted_by_hand(text, tokens):
    assert len(tokens_of(text)) == tokens


@given(st.text())
def test_tokens_are_the_text_without_its_white_space(text):
    assert "".join(tokens_of(text)) == "".join(text.split())


@given(st.text(), st.text())
def test_tokens_of_two_texts_add_up(one, other):
    assert tokens_of(one + " " + other) == tokens_of(one) + tokens_of(other)


@given(st.text(st.characters(categories=("L", "N", "Zs"))))
def test_a_mark_at_the_end_changes_nothing_before_it(text):
    assert tokens_of(text + " !") == [*tokens_of(text), "!"]


def test_a_chat_costs_three_tokens_a_message_and_two_that_ask_for_the_answer():
    messages = [("system", "be brief"), ("user", "hello there you")]
    assert len(chat_tokens(messages)) == 2 * 3 + 5 + 2
    assert len(chat_tokens(messages, asks_for_answer=False)) == 2 * 3 + 5


def test_equal_hashes_mean_equal_prefixes():
    words = [f"w{number}" for number in range(64)]
    other = [*words[:20], "different", *words[21:]]
    same = [one == two for one, two in zip(block_hashes(words), block_hashes(other), strict=True)]
    assert same == [True, False, False, False]
    assert block_hashes(words[:31]) == block_hashes(words)[:1]


@given(st.text())
def test_hostile_text_has_tokens_hashes_and_ids(text):
    assert all(0 <= token_id(token) < 32_000 for token in tokens_of(text * 20))
    assert isinstance(block_hashes(tokens_of(text * 20)), tuple)


@given(st.text(), st.integers(1, 600))
def test_an_answer_has_as_many_tokens_as_it_says(prompt, tokens):
    assert len(tokens_of(answer_text(digest_of(prompt, 0), tokens))) == tokens


def test_every_word_of_an_answer_is_one_plain_token():
    assert all(len(tokens_of(word)) == 1 and word.isascii() for word in WORDS)


def test_where_the_model_stops_depends_on_prompt_and_seed_and_has_the_mean_asked_for():
    lengths = [stop_length(digest_of(f"prompt {number}", 7), 40) for number in range(2_000)]
    assert lengths == [stop_length(digest_of(f"prompt {number}", 7), 40) for number in range(2_000)]
    assert lengths != [stop_length(digest_of(f"prompt {number}", 8), 40) for number in range(2_000)]
    assert (min(lengths), max(lengths)) == (1, 79)
    assert sum(lengths) / len(lengths) == pytest.approx(40, rel=0.1)


def test_fates_follow_the_seed_and_the_shares():
    faults = Faults(
        error_rate=0.1,
        disconnect_rate=0.2,
        stall_rate=0.05,
        malformed_rate=0.05,
        stream_error_rate=0.1,
        slow_first_byte_rate=0.1,
    )
    one, other = Misfortune(faults, 1), Misfortune(faults, 1)
    fates = [one.next_fault() for _ in range(5_000)]
    assert fates == [other.next_fault() for _ in range(5_000)]
    shares = {fault: sum(fate == fault for fate, _ in fates) / 5_000 for fault in (*Fault, None)}
    assert shares == pytest.approx(
        {
            Fault.ERROR: 0.1,
            Fault.DISCONNECT: 0.2,
            Fault.STALL: 0.05,
            Fault.MALFORMED: 0.05,
            Fault.STREAM_ERROR: 0.1,
            Fault.SLOW_FIRST_BYTE: 0.1,
            None: 0.4,
        },
        abs=0.02,
    )


def test_a_share_of_one_leaves_nobody_out():
    misfortune = Misfortune(Faults(malformed_rate=1.0), 3)
    assert {misfortune.next_fault()[0] for _ in range(1_000)} == {Fault.MALFORMED}


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 5_000))
def test_a_fault_waits_for_the_first_token_and_comes_before_the_last_where_there_are_two(depth, tokens):
    assert 1 <= token_of(depth, tokens) <= max(1, tokens - 1)


def test_figures_that_are_written_win_over_the_profile():
    machine = machine_of(Simulator(profile="l4", max_num_seqs=7))
    assert (machine.max_num_seqs, machine.decode_base_ms) == (7, PROFILES["l4"].decode_base_ms)


def test_a_context_that_only_the_profile_gives_is_cut_to_the_kv_cache():
    assert machine_of(Simulator(kv_cache_tokens=1_000)).max_model_len == 1_000


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_can_run_and_says_how_far_to_believe_it(profile):
    assert machine_of(Simulator(profile=profile)).resembles


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        pytest.param(Simulator(profile="tpu"), "profile", id="a profile nobody knows"),
        pytest.param(Simulator(prefill_tokens_per_s=0), "prefill_tokens_per_s", id="a prompt that never ends"),
        pytest.param(Simulator(decode_base_ms=0), "decode_base_ms", id="a step that takes no time"),
        pytest.param(Simulator(decode_per_seq_ms=-1), "decode_per_seq_ms", id="a request that saves time"),
        pytest.param(Simulator(max_num_seqs=0), "max_num_seqs", id="no seats"),
        pytest.param(Simulator(max_model_len=900, kv_cache_tokens=800), "max_model_len", id="a context over the cache"),
        pytest.param(Simulator(replicas=0), "replicas", id="nobody there"),
        pytest.param(Simulator(mean_answer_tokens=0), "mean_answer_tokens", id="an empty answer"),
        pytest.param(
            Simulator(faults=Faults(error_rate=0.7, stall_rate=0.7)), "faults", id="more faults than requests"
        ),
        pytest.param(Simulator(faults=Faults(error_rate=-0.1)), "faults", id="fewer than none"),
        pytest.param(Simulator(faults=Faults(error_status=200)), "error_status", id="an error that is none"),
        pytest.param(Simulator(faults=Faults(slow_first_byte_s=-1)), "slow_first_byte_s", id="time runs backwards"),
        pytest.param(Simulator(faults=Faults(restart_after=0)), "restart_after", id="it only ever restarts"),
    ],
)
def test_settings_that_no_server_could_have_are_refused_by_name(settings, field):
    with pytest.raises(UsageError) as refused:
        machine_of(settings)
    assert refused.value.where.endswith(field)


def test_settings_survive_the_way_into_the_child_and_the_key_stays_behind():
    settings = Simulator(
        "a100", "m", seed=4, api_key=SecretRef(env="K"), faults=Faults(stall_rate=0.5), refuse_fields=("min_p",)
    )
    line = encode(settings)
    assert b"\n" not in line[:-1]
    assert b'"api_key":null' in line
    read = decode(line)
    assert (read.profile, read.seed, read.faults, read.refuse_fields) == ("a100", 4, settings.faults, ("min_p",))


def test_a_command_line_gives_settings():
    settings = from_words(
        "h100",
        "m",
        ["max-num-seqs=8", "decode_base_ms=1.5", "prefix_cache=false", "refuse_fields=min_tokens,top_k"],
        ["disconnect=5%", "error=0.1", "error_status=503", "slow_first_byte_s=2", "restart_after=9"],
    )
    assert (settings.max_num_seqs, settings.decode_base_ms, settings.prefix_cache) == (8, 1.5, False)
    assert settings.refuse_fields == ("min_tokens", "top_k")
    expected = Faults(error_rate=0.1, error_status=503, disconnect_rate=0.05, slow_first_byte_s=2.0, restart_after=9)
    assert settings.faults == expected


@pytest.mark.parametrize(
    ("figures", "faults"),
    [
        pytest.param(["seats=3"], [], id="a figure nobody knows"),
        pytest.param(["max_num_seqs"], [], id="no value"),
        pytest.param(["max_num_seqs=many"], [], id="a word for a number"),
        pytest.param(["decode_base_ms=nan"], [], id="not a number"),
        pytest.param(["prefix_cache=maybe"], [], id="neither true nor false"),
        pytest.param([], ["boredom=5%"], id="a fault nobody knows"),
        pytest.param([], ["stall=500%"], id="a share over one"),
        pytest.param([], ["restart_after=soon"], id="a word for a count"),
    ],
)
def test_a_bad_word_is_named(figures, faults):
    with pytest.raises(UsageError) as refused:
        from_words("laptop", "m", figures, faults)
    assert (figures + faults)[0] in refused.value.where
