"""One quick simulator for all tests that only look at its protocol."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from llmload.scenario.asked import Simulator
from llmload.simulator.process import SimulatorProcess, start

QUICK = Simulator(prefill_tokens_per_s=1e6, decode_base_ms=2.0, decode_per_seq_ms=0.0, max_model_len=2048)


@pytest.fixture(scope="session")
def quick() -> Iterator[SimulatorProcess]:
    with start(QUICK, api_key=None) as process:
        yield process
        assert process.errors() == ""
