"""Gates in one line and in the long form."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.promises import LATENCIES, RATES, SHARES, STATS, At, Bound, Change, Gate, Level
from llmload.scenario.document.promises import GateForm
from llmload.scenario.gate_form import FieldError, gate_of
from llmload.scenario.gates import GateError, derive_id, parse_gate


@pytest.mark.parametrize(
    ("text", "gate"),
    [
        pytest.param("goodput >= 95%", Gate("goodput", Bound(">=", 0.95)), id="share, every step"),
        pytest.param("error_rate<=0.5%", Gate("error_rate", Bound("<=", 0.005)), id="without blanks"),
        pytest.param("p95(ttft) <= 800ms", Gate("ttft", Bound("<=", 800.0), "p95"), id="percentile"),
        pytest.param("max ( itl_max ) <= 1.5s", Gate("itl_max", Bound("<=", 1500.0), "max"), id="blanks everywhere"),
        pytest.param("mean(e2e) <= 1m30s", Gate("e2e", Bound("<=", 90_000.0), "mean"), id="a time of two parts"),
        pytest.param("rps >= 5/s", Gate("rps", Bound(">=", 5.0)), id="requests per second"),
        pytest.param("rps >= 120 req/m", Gate("rps", Bound(">=", 2.0)), id="requests per minute"),
        pytest.param("total_tps >= 1200 tok/s", Gate("total_tps", Bound(">=", 1200.0)), id="tokens per second"),
        pytest.param(
            "goodput >= 95% at concurrency <= 50",
            Gate("goodput", Bound(">=", 0.95), at=At("concurrency", "<=", 50.0)),
            id="up to a step",
        ),
        pytest.param(
            "goodput >= 95% at rate 2.5/s", Gate("goodput", Bound(">=", 0.95), at=At("rate", "==", 2.5)), id="at a rate"
        ),
        pytest.param(
            "p50(tpot) within 5% of baseline, floor 1ms at concurrency >= 8",
            Gate("tpot", Change(0.05, 1.0), "p50", At("concurrency", ">=", 8.0)),
            id="against the baseline",
        ),
        pytest.param("max(e2e) within 150% of baseline", Gate("e2e", Change(1.5), "max"), id="more than twice as bad"),
        pytest.param("rps within 99.9% of baseline", Gate("rps", Change(0.999)), id="nearly everything lost"),
    ],
)
def test_one_line_says_what_must_hold(text, gate):
    parsed = parse_gate(text)
    assert parsed == Gate(**{**_members(gate), "id": derive_id(gate)})


def _members(gate: Gate) -> dict[str, object]:
    return {name: getattr(gate, name) for name in Gate.__slots__}


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        pytest.param("", 0, "a gate begins with what it promises about", id="nothing"),
        pytest.param("95%", 0, "a gate begins with what it promises about", id="no subject"),
        pytest.param("godput >= 95%", 0, "unknown subject 'godput'", id="misspelt"),
        pytest.param("ttft <= 5ms", 0, "ttft needs a statistic", id="no statistic"),
        pytest.param("goodput(ttft) >= 5%", 0, "goodput takes no statistic", id="statistic on a share"),
        pytest.param("p95 <= 5ms", 4, "p95 needs a metric in brackets", id="no metric"),
        pytest.param("p95(ttft <= 5ms", 9, "a closing bracket is missing", id="open bracket"),
        pytest.param("goodput 95%", 8, "the comparison is missing", id="no comparison"),
        pytest.param("goodput == 95%", 8, "'==' is no comparison for a gate", id="equality"),
        pytest.param("goodput >=", 10, "the value is missing", id="no value"),
        pytest.param("goodput >= at concurrency 5", 11, "the value is missing", id="no value before at"),
        pytest.param("goodput >= 105%", 11, "'105%' is more than 100%", id="more than everything"),
        pytest.param("goodput >= 95ms", 11, "'95ms' is not a share", id="unit of another metric"),
        pytest.param("rps >= 5 tok/s", 7, "'5 tok/s' counts tokens, and rps requests", id="tokens for requests"),
        pytest.param("p95(ttft) <= 9" + "9" * 400 + "s", 0, "longer than 200 characters", id="too long"),
        pytest.param("goodput >= 95% at", 17, "unknown axis '' after 'at'", id="no axis"),
        pytest.param("goodput >= 95% at concurrency", 29, "the concurrency of the step is missing", id="no step"),
        pytest.param("rps within 5%", 13, "what it is relative to is missing", id="relative to what"),
        pytest.param("rps within 100% of baseline", 11, "rps cannot get worse by 100% or more", id="less than nothing"),
        pytest.param(
            "error_rate within 5% of baseline",
            18,
            "error_rate takes no relative gate: a ratio of rates near zero means nothing",
            id="error rates do not compare",
        ),
    ],
)
def test_a_bad_gate_says_what_and_where(text, offset, message):
    with pytest.raises(GateError) as caught:
        parse_gate(text)
    assert (caught.value.offset, caught.value.message) == (offset, message)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("form", "line"),
    [
        pytest.param({"metric": "ttft", "stat": "p95", "max": "800ms"}, "p95(ttft) <= 800ms", id="a limit"),
        pytest.param({"metric": "goodput", "min": "95%", "at": {"concurrency": 50}},
                     "goodput >= 95% at concurrency 50", id="one step"),
        pytest.param({"metric": "goodput", "min": "95%", "at": {"concurrency": "<= 50"}},
                     "goodput >= 95% at concurrency <= 50", id="several steps"),
        pytest.param({"metric": "rps", "min": "2/s", "at": {"rate": ">= 2/s"}}, "rps >= 2/s at rate >= 2", id="rates"),
        pytest.param({"metric": "tpot", "stat": "p50", "relative": {"max_increase": "5%", "floor": "1ms"}},
                     "p50(tpot) within 5% of baseline, floor 1ms", id="relative"),
        pytest.param({"metric": "rps", "relative": {"max_decrease": "5%"}}, "rps within 5% of baseline", id="lower"),
        pytest.param({"metric": "ttft", "stat": "p95", "max": "800ms", "class": "chat", "at": {"concurrency": 50}},
                     "p95(ttft) of chat <= 800ms at concurrency 50", id="a class"),
    ],
)  # fmt: skip
def test_the_long_form_makes_the_same_gate(form, line):
    assert gate_of(GateForm.model_validate(form), 7) == parse_gate(line, line=7)


def test_the_long_form_carries_id_level_and_class():
    form = {"metric": "goodput", "min": "95%", "id": "mine", "level": "warn", "class": "chat"}
    gate = gate_of(GateForm.model_validate(form), None)
    assert (gate.id, gate.level, gate.traffic_class) == ("mine", Level.WARN, "chat")


def test_the_long_form_names_the_field_that_is_wrong():
    with pytest.raises(FieldError) as caught:
        gate_of(GateForm.model_validate({"metric": "ttft", "stat": "p95", "max": 800}), None)
    assert (caught.value.field, caught.value.message, caught.value.hint) == (
        ("max",),
        "800 has no unit",
        "Did you mean 800ms?",
    )


def test_derived_ids_are_made_of_the_gate_s_words():
    assert parse_gate("p95(ttft) <= 800ms at concurrency 50").id == "p95-ttft-le-800ms-at-concurrency-50"
    assert parse_gate("goodput >= 99.9%").id == "goodput-ge-99.9pct"
    assert parse_gate("p95(ttft) of chat <= 800ms").id == "p95-ttft-of-chat-le-800ms"
    assert parse_gate("output_tps >= 1200 tok/s").id == "output_tps-ge-1200-tok-per-s"


def _numbers(top: float) -> st.SearchStrategy[str]:
    return st.decimals(min_value="0.001", max_value=str(top), places=3).map(str)


_DURATION = st.tuples(_numbers(100_000), st.sampled_from(["us", "ms", "s", "m", "h"])).map("".join)
_PERCENT = _numbers(100).map(lambda text: text + "%")
_CHANGE = _numbers(99.999).map(lambda text: text + "%")


_CLASS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True).map(" of {}".format)


def _value(subject: str) -> st.SearchStrategy[str]:
    if subject in SHARES:
        return _PERCENT
    if subject in LATENCIES:
        return _DURATION
    units = ["/s", " req/m", "/h"] if subject == "rps" else ["/s", " tok/s", " tokens/h"]
    return st.tuples(_numbers(1_000_000), st.sampled_from(units)).map("".join)


@st.composite
def gate_texts(draw: st.DrawFn) -> str:
    subject = draw(st.sampled_from([*SHARES, *RATES, *LATENCIES]))
    head = f"{draw(st.sampled_from(STATS))}({subject})" if subject in LATENCIES else subject
    head += draw(st.sampled_from(["", " of at", " of baseline", " of a", " of long-0"]) | _CLASS)
    if subject == "error_rate" or draw(st.booleans()):
        promise = f"{draw(st.sampled_from(['<=', '>=']))} {draw(_value(subject))}"
    else:
        floor = f", floor {draw(_value(subject))}" if draw(st.booleans()) else ""
        promise = f"within {draw(_CHANGE)} of baseline{floor}"
    axis, unit = draw(st.sampled_from([("concurrency", ""), ("rate", ""), ("rate", "/s"), ("rate", "/m")]))
    at = f" at {axis} {draw(st.sampled_from(['', '<= ', '>= ']))}{draw(_numbers(10_000))}{unit}"
    return f"{head} {promise}{at if draw(st.booleans()) else ''}"


@given(gate_texts())
def test_parsing_a_printed_gate_gives_the_gate(text):
    gate = parse_gate(text)
    assert parse_gate(str(gate)) == gate


@given(st.text(max_size=60))
def test_a_text_that_is_no_gate_is_refused_with_a_place_inside_it(text):
    with pytest.raises(GateError) as caught:
        parse_gate("?" + text)
    assert 0 <= caught.value.offset <= len(text) + 1
