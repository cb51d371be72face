"""The server's own figures, from its Prometheus page."""

from __future__ import annotations

from llmload.endpoint import Endpoint
from llmload.scenario.asked import Auto, MetricsPage
from llmload.telemetry.watching import PageReader


def page_of(source: Auto | MetricsPage | None, endpoint: Endpoint) -> PageReader | None:
    """The page that `source` asks for; None where nothing is asked."""
    return None
