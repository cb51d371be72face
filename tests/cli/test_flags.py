"""Flags that take bare numbers, and what they mean by them."""

from __future__ import annotations

import pytest

from llmload.cli.flags import check_sets, milliseconds, percent, written
from llmload.errors import UsageError


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param("500", "500ms", id="a bare number is of milliseconds"),
        pytest.param("0.5", "0.5ms", id="a part of one"),
        pytest.param("2s", "2s", id="with its unit"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_a_time_is_one_of_milliseconds_unless_it_says_otherwise(text: str | None, meant: str | None) -> None:
    assert milliseconds("--ttft-target", text) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        pytest.param("95", "95%", id="a bare number is of percent"),
        pytest.param("99.9%", "99.9%", id="with its sign"),
        pytest.param("0", "0%", id="none"),
        pytest.param("1", "1%", id="one"),
        pytest.param("0.5%", "0.5%", id="less than one, and said so"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_a_share_is_one_of_percent(text: str | None, meant: str | None) -> None:
    assert percent("--headroom", text) == meant


@pytest.mark.parametrize("text", ["", "-5", "5x", "nan", "1e3", "٣", "0", "0ms"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--ttft-target"):
        milliseconds("--ttft-target", text)


@pytest.mark.parametrize("text", ["", "-5", "0.95", "inf", "5%%", "٣"])
def test_what_is_no_percentage_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--headroom"):
        percent("--headroom", text)


@pytest.mark.parametrize("path", ["spec.slo.ttft", "spec.slo", "spec"])
def test_a_set_that_covers_a_flag_contradicts_it(path: str) -> None:
    flags = written(("--ttft-target", "spec.slo.ttft", "5ms"))
    with pytest.raises(UsageError, match=f"--set {path}: says what --ttft-target says too"):
        check_sets(flags, [f"{path}=1"])


def test_a_set_beside_a_flag_does_not() -> None:
    check_sets(written(("--ttft-target", "spec.slo.ttft", "5ms"), ("--gpu", "x", None)), ["spec.slo.ttft2=1"])
