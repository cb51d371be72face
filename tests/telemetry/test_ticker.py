"""A ticker looks when it is time, when it is asked, and never keeps anybody waiting for long."""

from __future__ import annotations

import threading
import time

from llmload.telemetry.ticker import ticking

LONG_S = 60.0
SOON_S = 5.0  # within which a busy machine gets a thread to run


def test_it_looks_at_once() -> None:
    looked = threading.Event()
    with ticking(looked.set, LONG_S, "test", 0.02):
        assert looked.wait(SOON_S)


def test_whoever_asks_for_a_look_gets_one_that_began_after_the_question() -> None:
    looks: list[float] = []
    with ticking(lambda: looks.append(time.monotonic()), LONG_S, "test", 0.02) as ticker:
        for _ in range(3):
            asked_s = time.monotonic()
            ticker.look_now(SOON_S)
            assert looks[-1] >= asked_s


def test_it_goes_on_every_so_often() -> None:
    looks = threading.Semaphore(0)
    with ticking(looks.release, 0.01, "test", 0.02):
        assert all(looks.acquire(timeout=SOON_S) for _ in range(5))


def test_a_look_that_hangs_delays_nobody() -> None:
    forever = threading.Event()
    began_s = time.monotonic()
    with ticking(lambda: forever.wait(SOON_S * 4) and None, LONG_S, "test", 0.02) as ticker:
        ticker.look_now(0.05)
    assert time.monotonic() - began_s < SOON_S
    forever.set()


def test_a_slow_look_is_taken_more_seldom() -> None:
    looks: list[float] = []

    def look() -> None:
        looks.append(time.monotonic())
        time.sleep(0.05)

    with ticking(look, 0.01, "test", 0.02):
        time.sleep(0.5)
    assert len(looks) == 1  # the next one is due after 2.5 s


def test_nothing_looks_after_the_end() -> None:
    looks: list[int] = []
    with ticking(lambda: looks.append(1), 0.01, "test", 0.02):
        time.sleep(0.05)
    seen = len(looks)
    time.sleep(0.05)
    assert len(looks) == seen
