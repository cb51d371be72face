"""A recorder keeps what it is given until somebody takes it, and says a thing once."""

from __future__ import annotations

import math
import threading
from array import array

import pytest

from llmload.samples import SampleName, Series, Source
from llmload.telemetry.recorder import Recorder


def test_samples_are_kept_by_figure_and_device_in_whole_microseconds() -> None:
    recorder = Recorder()
    recorder.add(Source.GPU, "power_w", 300.0, 1_000_999, "GPU-1")
    recorder.add(Source.GPU, "power_w", 310.5, 2_000_000, "GPU-1")
    recorder.add(Source.METRICS, "requests_running", 8, 3_000_000)
    series, notes = recorder.take()
    assert series == (
        Series(Source.GPU, "power_w", "GPU-1", array("q", [1_000_000, 2_000_000]), array("d", [300.0, 310.5])),
        Series(Source.METRICS, "requests_running", "", array("q", [3_000_000]), array("d", [8.0])),
    )
    assert notes == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kv_cache_share", math.nan),
        ("requests_running", math.nan),
        ("requests_running", math.inf),
        ("output_tokens", 1e300),
        ("power_w", -math.inf),
        ("utilisation", 97.0),
        ("prefix_cache_hit_share", -0.1),
    ],
)
def test_what_cannot_be_is_no_sample(name: SampleName, value: float) -> None:
    recorder = Recorder()
    recorder.add(Source.METRICS, name, value, 1)
    assert recorder.take() == ((), ())


def test_what_was_taken_is_gone() -> None:
    recorder = Recorder()
    recorder.add(Source.METRICS, "kv_cache_share", 0.5, 1)
    recorder.take()
    assert recorder.take() == ((), ())


def test_a_note_is_told_once_in_the_life_of_a_recorder() -> None:
    recorder = Recorder()
    recorder.note("no power")
    recorder.note("no power")
    assert recorder.take()[1] == ("no power",)
    recorder.note("no power")
    assert recorder.take()[1] == ()


def test_no_sample_is_lost_between_threads() -> None:
    recorder, taken = Recorder(), 0
    threads = [
        threading.Thread(
            target=lambda: [recorder.add(Source.GPU, "power_w", 1.0, at, "a") for at in range(2_000)], daemon=True
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += sum(len(series.values) for series in recorder.take()[0])
    taken += sum(len(series.values) for series in recorder.take()[0])
    assert taken == 8_000
