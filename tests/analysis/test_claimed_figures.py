"""Numbers in a written text, and which of them nobody measured."""

from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmload.analysis.claimed_figures import MOST_FLAGGED, Figure, Kind, claims_in, figures_in, unknown_figures
from llmload.units import format_number

KNOWN = (
    Figure(811.6, Kind.TIME),
    Figure(15_000.0, Kind.TIME),
    Figure(94.49, Kind.PERCENT),
    Figure(4310.0),
    Figure(0.9),
    Figure(50.0),
)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("p95 of TTFT was 811.6 ms", id="as it is"),
        pytest.param("about 812ms, or 0.81 s", id="rounded, in milliseconds and seconds"),
        pytest.param("812 is over the limit", id="without its unit"),
        pytest.param("15 s, 15.0 seconds, 15초, 0.25 minutes, 0.25분", id="units of time"),
        pytest.param("TTFT는 811.6밀리초이고 요청의 94.5%가 성공", id="Korean around it"),
        pytest.param("94 percent, 94.5%, 94.5 퍼센트, 0.945", id="percent and share"),
        pytest.param("4,310 tok/s, 4310토큰/초, 4.3k tokens", id="thousands"),
        pytest.param("gpu_memory_utilization is 90%", id="a share as percent"),
        pytest.param("동시성50에서", id="without a space in Korean"),
        pytest.param("50 초과", id="more than, not seconds"),
        pytest.param("50만 봐도", id="a particle, not ten thousand"),
        pytest.param("**50** requests (50) `50` ~50 >=50, 50.", id="punctuation around"),
        pytest.param("-50", id="the sign is not read"),
        pytest.param("", id="nothing"),
    ],
)
def test_what_a_figure_rounds_to_is_known(text: str) -> None:
    assert unknown_figures(text, KNOWN) == ()


@pytest.mark.parametrize(
    ("text", "flagged"),
    [
        pytest.param("TTFT was 813 ms", ("813 ms",), id="another figure"),
        pytest.param("TTFT was 811.7 ms", ("811.7 ms",), id="more digits than it has"),
        pytest.param("TTFT was 811.6 s", ("811.6 s",), id="another unit"),
        pytest.param("50 ms", ("50 ms",), id="a count is no time"),
        pytest.param("50%", ("50%",), id="a count is no share"),
        pytest.param("about 800 ms", ("800 ms",), id="rounded further than it is written"),
        pytest.param("it is 3x as fast, 1.5배", ("3x", "1.5배"), id="ratios"),
        pytest.param("5.5% miss the SLO", ("5.5%",), id="a difference"),
        pytest.param("set max_num_seqs=512, or to 1,024", ("512", "1,024"), id="settings of its own"),
        pytest.param("7 GPUs, 8, 7, 8 GPUs", ("7", "8"), id="each once, in order"),
        pytest.param("5천 명, 3만 명", ("5천", "3만"), id="Korean multiples"),
        pytest.param("80-85%", ("80", "85%"), id="a range"),
        pytest.param("$3.20 an hour", ("3.20",), id="money"),
        pytest.param("7e3 and 1e-9", ("7e3", "1e-9"), id="powers"),
    ],
)
def test_what_is_in_no_figure_is_flagged_as_written(text: str, flagged: tuple[str, ...]) -> None:
    assert unknown_figures(text, KNOWN) == flagged


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("1. First\n2) Second\n  3. Third\n**4.** Fourth\n- (5) Fifth\n## 6 Sixth\n10.", id="list items"),
        pytest.param("Qwen3-14B-AWQ on an H100-80GB or A100: p95, p99, fp8, L40S/A10", id="names"),
        pytest.param("on 2026-03-01 at 09:30, 2026-03-01T09:30:00.000Z", id="dates and times"),
        pytest.param("2026년 3월 1일, since 2024, in 2025.", id="years"),
        pytest.param("vLLM 0.11.2 and v0.9.1rc1", id="versions"),
        pytest.param("Step 3: raise it. 단계 2, 2단계, Option 1, gate 4", id="labels of steps"),
        pytest.param("the 99th percentile, the 1st and 2nd, 99 백분위, 3번째", id="ordinals"),
        pytest.param("max_num_seqs_2 and ttft_p95_ms", id="names of settings"),
    ],
)
def test_what_is_no_figure_is_passed_over(text: str) -> None:
    assert unknown_figures(text, ()) == ()


_values = st.floats(0.001, 1e9, allow_nan=False)


@given(_values, st.integers(0, 6), st.sampled_from(Kind))
def test_a_figure_rounded_to_any_precision_is_known(value: float, decimals: int, kind: Kind) -> None:
    unit = {Kind.TIME: " ms", Kind.PERCENT: "%", Kind.RATIO: "x", Kind.PLAIN: " requests"}[kind]
    for written in (f"{value:.{decimals}f}{unit}", f"{value:,.{decimals}f}{unit}"):
        assert unknown_figures(f"It is {written} here", [Figure(value, kind)]) == ()


@given(_values, st.integers(0, 3), st.sampled_from([" ms", "%", " requests"]))
def test_a_figure_a_digit_away_is_flagged(value: float, decimals: int, unit: str) -> None:
    kind = {" ms": Kind.TIME, "%": Kind.PERCENT, " requests": Kind.PLAIN}[unit]
    written = f"{round(value, decimals) + 2 * 10.0**-decimals:.{decimals}f}"
    assert unknown_figures(f"It is {written}{unit}", [Figure(value, kind)]) != ()


_texts = st.text(st.sampled_from("0123456789.,%- msxkM초배만천eE\n*#()년/_aQ\u00a0²٣"), max_size=60) | st.text(
    max_size=60
)


@given(_texts)
@example("9" * 400 + " ms")
@example("1e99 9.e 1,23,456")
def test_any_text_is_read_and_what_is_flagged_stands_in_it(text: str) -> None:
    flagged = unknown_figures(text, KNOWN)
    assert len(set(flagged)) == len(flagged) <= MOST_FLAGGED
    assert all(each in text and len(each) <= 40 for each in flagged)


@given(_texts)
def test_a_text_knows_its_own_figures(text: str) -> None:
    assert unknown_figures(text, list(figures_in(text))) == () or any(
        not math.isfinite(figure.value) for claim in claims_in(text) for figure, _ in claim.meanings
    )


def test_a_long_text_of_numbers_is_bounded() -> None:
    text = " ".join(format_number(value) for value in range(10_000, 30_000))
    assert len(unknown_figures(text, KNOWN)) == MOST_FLAGGED
