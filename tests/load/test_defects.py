"""A defect of ours inside a window ends the worker at once: less load than was asked for must not pass for a window."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from llmload.load.live import Live
from llmload.load.worker import observe_window
from llmload.planned import Look, PlannedRequest, Step
from llmload.scenario.asked import Constant
from llmload.scenario.lengths import Fixed
from llmload.workload.pace import Arrivals, Pace, Slots
from llmload.workload.plan import Plan
from tests.load.windows import FIT, endpoint, window
from tests.scripted_server import Request, Script, ScriptedServer, stream


@dataclass(frozen=True)
class BrokenPlan(Plan):
    """Cannot tell the requests from `first` on, which are not among those that are prepared before the window."""

    first: int = 128

    def request(self, index: int) -> PlannedRequest:
        if index >= self.first:
            raise ArithmeticError("a defect")
        return super().request(index)


def script(request: Request) -> Script:
    """All connections but the first are kept waiting, so that only one slot meets the defect."""
    return stream(2, 0, 0) if request.connection == 1 else Script((), "stall")


@pytest.mark.parametrize("pace", [Slots(4), Arrivals(100, Constant(), 1)])
def test_a_defect_in_the_load_is_neither_swallowed_nor_waited_out(pace: Pace, tmp_path: Path) -> None:
    live = Live.make(tmp_path / "live")
    plan = BrokenPlan(1, 0, 0, Fixed(8), Fixed(5), True, FIT)
    step = Step(0, "concurrency", 4) if isinstance(pace, Slots) else Step(0, "rate", 100)
    with ScriptedServer(script) as server:
        asked = window(endpoint(server.url), look=Look(step, 0, 20), pace=pace, plan=plan, duration_s=0.1)
        began = time.monotonic()
        with pytest.raises(ExceptionGroup) as caught:
            asyncio.run(observe_window(asked, live))
    live.close()
    assert {type(error) for error in caught.value.exceptions} == {ArithmeticError}
    assert time.monotonic() - began < asked.max_duration_s / 2
