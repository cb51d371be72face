"""A watch takes a sample at both edges of a window, and whoever hangs costs it little."""

from __future__ import annotations

import threading
import time

from llmload.samples import Gpu, GpuNow, Source
from llmload.telemetry.gpu import NoGpus
from llmload.telemetry.recorder import Recorder
from llmload.telemetry.watching import Sources, watching

CARD = Gpu("GPU-a", 0, "NVIDIA H100", "GPU-a")
PATIENCE_S = 5.0


class Card:
    """A GPU that tells its power whenever it is asked."""

    gpus = (CARD,)
    note = ""

    def read(self, recorder: Recorder) -> None:
        """One sample."""
        recorder.add(Source.GPU, "power_w", 300.0, time.monotonic_ns(), CARD.key)

    def now(self) -> tuple[GpuNow, ...]:
        """Nothing to show."""
        return ()

    def close(self) -> None:
        """Nothing to let go."""


class Hanging(Card):
    """A GPU whose driver never comes back."""

    def __init__(self) -> None:
        self.is_over = threading.Event()

    def read(self, recorder: Recorder) -> None:
        self.is_over.wait(12 * PATIENCE_S)


def test_both_edges_of_a_window_have_a_sample() -> None:
    with watching(Sources(Card())) as watch:
        watch.begin()
        start_ns = time.monotonic_ns()
        time.sleep(0.01)
        end_ns = time.monotonic_ns()
        watched = watch.end()
    (power,) = watched.series
    assert power.at_ns[0] <= start_ns
    assert power.at_ns[-1] >= end_ns // 1000 * 1000
    assert watched.gpus == (CARD,)


def test_what_was_before_a_window_belongs_to_it_and_not_to_the_one_before() -> None:
    with watching(Sources(Card())) as watch:
        watch.begin()
        first = watch.end()
        watch.begin()
        second = watch.end()
    assert first.series[0].at_ns[-1] < second.series[0].at_ns[0]


def test_sources_that_hang_are_left_behind_together() -> None:
    card, is_over = Hanging(), threading.Event()
    began_s = time.monotonic()
    with watching(Sources(card, log=lambda _: is_over.wait(12 * PATIENCE_S) and None)) as watch:
        watch.begin()
        assert watch.end().series == ()
    assert time.monotonic() - began_s < PATIENCE_S
    card.is_over.set()
    is_over.set()


def test_nothing_to_watch_is_nothing_watched() -> None:
    with watching(Sources(NoGpus())) as watch:
        watch.begin()
        watched = watch.end()
    assert (watched.gpus, watched.series, watched.server, watched.notes) == ((), (), None, ())
