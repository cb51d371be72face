"""One window in one worker."""

from __future__ import annotations

import gc
from typing import assert_never

from llmload.domain import Observation
from llmload.load.closed_loop import observe_slots
from llmload.load.course import Course
from llmload.load.live import Live
from llmload.load.open_loop import observe_arrivals
from llmload.load.session_loop import observe_sessions
from llmload.load.window import Window
from llmload.workload.file_sessions import FileSessionPlan
from llmload.workload.pace import Arrivals, Replay, Slots
from llmload.workload.session_plan import SessionPlan


async def observe_window(window: Window, live: Live) -> Observation:
    """Load the endpoint as the window says; ends early when `live` says stop or our parent is gone."""
    course = Course(window, live)
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection of a large heap stops the clock of every stream; cycles are avoided instead
    try:
        match window.pace:
            case Slots() if isinstance(window.plan, SessionPlan | FileSessionPlan):
                return await observe_sessions(course, window.plan, window.pace)
            case Slots():
                return await observe_slots(course, window.pace)
            case Arrivals() | Replay():
                return await observe_arrivals(course, window.pace)
            case _:
                assert_never(window.pace)
    finally:
        gc.enable()
        gc.unfreeze()
