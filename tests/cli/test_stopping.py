"""Ctrl-C and SIGTERM, with real signals to this very process."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from llmload.cli.stopping import listening
from llmload.errors import Interrupted, Terminated
from llmload.store.database import open_store
from tests.recorded_runs import CLEAN
from tests.store.observations import window

RUN = CLEAN.header.run_id


def test_the_first_signal_lets_what_is_being_written_end(tmp_path: Path) -> None:
    with open_store(tmp_path / "runs.db") as store, listening() as stop:
        store.begin(CLEAN.header)
        os.kill(os.getpid(), signal.SIGTERM)
        store.remember(RUN, window(0))
        assert stop.event.is_set()
        assert (stop.error().exit_code, len(store.load(RUN).observations)) == (143, 1)


def test_a_wait_ends_with_the_first_signal() -> None:
    with listening() as stop, pytest.raises(Interrupted), stop.interruptible():
        os.kill(os.getpid(), signal.SIGINT)


def test_no_wait_begins_after_a_signal() -> None:
    with listening() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted), stop.interruptible():
            pass


def test_the_second_signal_ends_everything() -> None:
    with listening():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Terminated):
            os.kill(os.getpid(), signal.SIGTERM)


def test_afterwards_signals_are_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with listening():
        assert signal.getsignal(signal.SIGTERM) != before
    assert signal.getsignal(signal.SIGTERM) == before
