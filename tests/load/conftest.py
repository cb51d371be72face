"""One worker process for a whole file of tests: starting one takes longer than most windows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from llmload.domain import Observation, Phase, RequestRecord
from llmload.load.pool import Pool
from llmload.load.window import Window

Observe = Callable[[Window], Observation]


@pytest.fixture(scope="module")
def observe() -> Iterator[Observe]:
    """Observes windows in one worker."""
    with Pool() as pool:
        yield lambda asked: pool.observe(asked, on_progress=lambda progress: None, stop=threading.Event())


@pytest.fixture
def measured(observe: Observe) -> Callable[[Window], list[RequestRecord]]:
    """Only the measured records of a window."""
    return lambda asked: [record for record in observe(asked).records if record.phase is Phase.MEASURED]
