"""Samples of the server folded into series over the run and figures of a step."""

from __future__ import annotations

from collections.abc import Sequence

from llmload.domain import Observation
from llmload.serving import ServerFigures
from llmload.timeline import ServerSeries


def server_series_of(observations: Sequence[Observation]) -> ServerSeries | None:
    """The server's queue and cache on the timeline of these windows; None where it told nothing."""
    return None


def server_figures_of(windows: Sequence[Observation]) -> ServerFigures | None:
    """What the server told of these windows of one step; None where it told nothing."""
    return None
