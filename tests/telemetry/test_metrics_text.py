"""Which lines of a metrics page count, wherever it was cut and whatever stands between them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmload.frameworks import metric_names
from llmload.telemetry.metrics_text import pattern_of, read_samples
from llmload.telemetry.readings import PageNames
from tests.frameworks.captured import body_of

PAGES = (
    *("vllm/metrics-busy.prom", "vllm/metrics-idle.prom", "sglang/metrics-busy.prom", "sglang/metrics-idle.prom"),
    *("llama.cpp/metrics-busy.prom", "llama.cpp/metrics-idle.prom", "triton/metrics.prom"),
)
EVERYTHING = PageNames(metric_names.EVERY, "tiny")
WANTED = pattern_of(("a:running", "a:running_total", "plain"))


def values(page: bytes) -> dict[str, list[float]]:
    return {name: [each.value for each in series.values()] for name, series in read_samples(page, WANTED).items()}


@pytest.mark.parametrize("capture", PAGES)
def test_every_line_of_a_page_is_read_by_itself(capture: str) -> None:
    page, found = body_of(capture), {}
    for line in page.splitlines(keepends=True):
        for name, series in read_samples(line, EVERYTHING.whole).items():
            found.setdefault(name, {}).update(series)
    assert found == read_samples(page, EVERYTHING.whole) != {}


@pytest.mark.parametrize("capture", PAGES)
def test_a_page_that_is_cut_at_any_byte_tells_what_its_whole_lines_tell(capture: str) -> None:
    """Of every cut page the last whole line and what is left of the next: the others are read by themselves."""
    page = body_of(capture)
    last = rest = 0
    for cut in range(len(page) + 1):
        if cut and page[cut - 1] == 0x0A:
            last, rest = rest, cut
        end = page[last:cut]
        assert read_samples(end, EVERYTHING.whole) == read_samples(page[last:rest], EVERYTHING.whole), end


@pytest.mark.parametrize("capture", [capture for capture in PAGES if "idle" not in capture])
def test_what_is_made_of_a_cut_page_is_made_of_its_whole_lines(capture: str) -> None:
    page = b"".join(line[0] for line in EVERYTHING.whole.finditer(body_of(capture)))
    for line in re.finditer(rb"[^\n]*\n", page):
        whole = page[: line.end()]
        assert EVERYTHING.study(whole + line[0][:-1]) == EVERYTHING.study(whole)


GOOD = b'a:running{engine="0"} 3\n'


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(b"plain 1\n", {"plain": [1.0]}, id="no labels"),
        pytest.param(b"plain{} 1\n", {"plain": [1.0]}, id="empty labels"),
        pytest.param(b"plain 1\r\n", {"plain": [1.0]}, id="CRLF"),
        pytest.param(b"plain\t1\n", {"plain": [1.0]}, id="a tab"),
        pytest.param(b"plain 1 1795219436310\n", {"plain": [1.0]}, id="an instant"),
        pytest.param(b'plain 1 # {trace_id="7"} 0.67 179521943.1\n', {"plain": [1.0]}, id="an exemplar"),
        pytest.param(b"plain 1.5e3\n", {"plain": [1500.0]}, id="an exponent"),
        pytest.param(b'plain{x="a} 5 # {y=\\"z\\"} 7\\n",z="{"} 2\n', {"plain": [2.0]}, id="a page within a label"),
        pytest.param('plain{x="\u202e한국어"} 2\n'.encode(), {"plain": [2.0]}, id="letters of other languages"),
        pytest.param(b'plain{x="\xff\xfe"} 2\n', {"plain": [2.0]}, id="bytes that are no text"),
        pytest.param(b"plain 1\nplain 2\n", {"plain": [2.0]}, id="the same series twice"),
        pytest.param(b"# EOF\n", {}, id="the end of OpenMetrics"),
        pytest.param(b"plain NaN\n", {}, id="not a number"),
        pytest.param(b"plain +Inf\n", {}, id="infinite"),
        pytest.param(b"plain 1e999\n", {}, id="beyond all numbers"),
        pytest.param(b"plain 1_000\n", {}, id="a number as Python writes it"),
        pytest.param(b"plain " + b"9" * 5000 + b"\n", {}, id="a number without end"),
        pytest.param(b"plain one\n", {}, id="a word"),
        pytest.param(b"plain\n", {}, id="no value"),
        pytest.param(b'plain{x="1} 1\n', {}, id="a quote that does not end"),
        pytest.param(b"plain{x=1} 1\n", {}, id="a label without quotes"),
        pytest.param(b'plain{x="1" 1\n', {}, id="labels that do not end"),
        pytest.param(b'plain{x="1",x="2"} 1\n', {}, id="a label twice"),
        pytest.param(b"plain_other 1\n", {}, id="a name that only begins like ours"),
        pytest.param(b"complain 1\n", {}, id="a name that only ends like ours"),
        pytest.param(b"# plain 1\n", {}, id="a comment"),
        pytest.param(b"\0\x1b[2J\n", {}, id="rubbish"),
    ],
)
def test_a_line_is_read_or_passed_over_and_loses_none_of_the_others(
    line: bytes, expected: dict[str, list[float]]
) -> None:
    assert values(GOOD + line + b"a:running_total 4\n") == {"a:running": [3.0], "a:running_total": [4.0], **expected}


@given(st.binary(max_size=300), st.integers(0, 300))
def test_whatever_stands_on_a_page_nothing_is_raised(rubbish: bytes, at: int) -> None:
    text = GOOD + b'plain{x="y",z="\\""} 2.5 17\n' + GOOD
    EVERYTHING.study(rubbish)
    assert set(values(text[:at] + rubbish + b"\n" + text)) >= {"a:running", "plain"}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_a_label_is_read_as_it_was_written(value: str) -> None:
    written = value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    if "\r" in value or len(value.splitlines()) > 1:
        return  # what Prometheus' own reader takes for the end of a line
    (sample,) = read_samples(f'plain{{x="{written}"}} 1\n'.encode(), WANTED)["plain"].values()
    assert sample.labels == {"x": value}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(lambda: b'plain{x="' + b"\\" * 8_000_000, id="one label without end"),
        pytest.param(lambda: b"plain{" + b'a="",' * 1_600_000 + b"} 1\n", id="labels without end"),
        pytest.param(lambda: b'plain{x="}' * 800_000 + b"\n", id="quotes that never match"),
        pytest.param(
            lambda: b"".join(b'plain{x="%d"} 1\n' % number for number in range(400_000)), id="series without end"
        ),
        pytest.param(lambda: b"a:running" * 800_000, id="one line without end"),
    ],
)
def test_a_page_of_8_mb_that_means_harm_costs_little(page: Callable[[], bytes]) -> None:
    text = page()
    began = time.process_time()
    assert len(read_samples(text, WANTED).get("plain", {})) <= 20_000
    assert time.process_time() - began < 3
