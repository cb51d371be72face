"""What a scenario asks to be watched, opened for as long as its server is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from llmload.endpoint import Endpoint
from llmload.scenario.asked import Telemetry
from llmload.telemetry.gpu import GpuReader
from llmload.telemetry.logs import tail_of
from llmload.telemetry.prometheus import page_of
from llmload.telemetry.watching import Sources, Watch, watching


@contextmanager
def watch_server(telemetry: Telemetry, endpoint: Endpoint, gpus: GpuReader) -> Iterator[Watch]:
    """Watch the server at `endpoint`, and GPUs that are open already."""
    with (
        page_of(telemetry.server_metrics, endpoint) as page,
        tail_of(telemetry.server_logs) as log,
        watching(Sources(gpus, page, log)) as watch,
    ):
        yield watch
