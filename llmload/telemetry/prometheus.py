"""The server's own figures, from its Prometheus page: gauges on a timer, counters and histograms around each window."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import assert_never

from llmload.endpoint import Endpoint
from llmload.frameworks import metric_names
from llmload.frameworks.adapter import Adapter
from llmload.frameworks.registry import adapter_for
from llmload.samples import ServerWork, Source
from llmload.scenario.asked import Auto, MetricsPage
from llmload.telemetry.metrics_page import WITHIN_S, Address, Line, Page, beside, lines_to, named, on_port
from llmload.telemetry.readings import PageNames, Reading, growth
from llmload.telemetry.recorder import Recorder
from llmload.telemetry.watching import PageReader

_SETTLED_S, _LOOK_EVERY_S = 1.0, 0.075
"""How long the server is given to be done with what was cancelled, and how often it is looked at meanwhile."""
_TRIES = 2
"""How many windows a page is looked for that was nowhere."""
_PATIENT_EDGES, _BRIEFLY_S = 2, 0.2
"""How many edges one after the other may wait for a page that hangs; the later ones ask briefly, since a server that is
well again answers at once, and a page that never does would hold up every window.
"""
_SWITCHES: Mapping[str, str] = {
    "openai": "To have the server's own figures, start llama.cpp with --metrics, SGLang with --enable-metrics",
    "sglang": "To have the server's own figures, start SGLang with --enable-metrics",
}


@contextmanager
def page_of(source: Auto | MetricsPage | None, endpoint: Endpoint) -> Iterator[PageReader | None]:
    """The page that `source` asks for, open as long as the block takes; None where nothing is asked or to be had."""
    adapter = adapter_for(endpoint.framework)
    match source:
        case None:
            addresses: tuple[Address, ...] = ()
        case Auto():
            addresses = _usual(adapter, endpoint)
        case MetricsPage(url=url):
            addresses = (named(url, endpoint),)
        case _:
            assert_never(source)
    if not addresses:
        yield None
        return
    names = metric_names.merged(adapter.metric_names, metric_names.EVERY)
    told = metric_names.of_streams(names) if endpoint.stream else names
    with lines_to(addresses, endpoint) as lines:
        yield _WatchedPage(lines, PageNames(told, endpoint.model), _SWITCHES.get(endpoint.framework, ""))


def _usual(adapter: Adapter, endpoint: Endpoint) -> tuple[Address, ...]:
    """Where a server of the framework has its page; nowhere, where it has none."""
    if not adapter.metric_names:
        return ()
    elsewhere = () if adapter.metrics_port is None else (on_port(endpoint, adapter.metrics_port),)
    return (beside(endpoint), *elsewhere)


class _WatchedPage:
    """One page over all windows. The timer's thread reads, the runner's looks at the edges."""

    def __init__(self, lines: tuple[Line, ...], names: PageNames, switch: str) -> None:
        self._lines, self._names, self._switch = lines, names, switch
        self._line: Line | None = None
        self._tries = 0
        self._hung = 0  # edges one after the other
        self._lock = threading.Lock()  # of the life, which both threads look at
        self._life: _Life | None = None

    def read(self, recorder: Recorder) -> None:
        """Gauges and counters as they are now."""
        if self._line is None:  # the runner's thread finds it
            return
        page = self._line.ask()
        if isinstance(page, str):
            recorder.note(_about(self._line, f"samples are missing: {page}"))
            return
        reading = self._names.glance(page.body)
        with self._lock:
            if self._life is not None:
                self._life.goes_on(page, reading)
        for name, value in (*reading.gauges.items(), *reading.counts.items()):
            recorder.add(Source.METRICS, name, value, page.at_ns)

    def begin(self, recorder: Recorder) -> None:
        """Look at the whole page before a window; the first time, find out where it is."""
        found = self._find(recorder) if self._line is None else self._study(self._line, recorder)
        with self._lock:
            self._life = None if found is None else _Life(*found)

    def end(self, recorder: Recorder) -> ServerWork | None:
        """How far the server went since `begin`."""
        with self._lock:
            life, self._life = self._life, None
        if life is None or self._line is None:
            return None
        found = self._settled(self._line, life.before, recorder)
        if found is None:
            return None
        life.goes_on(*found)
        page, after = found
        grown = growth(life.before, after)
        if grown is None or life.broken:
            recorder.note(_about(self._line, f"{life.broken or _EITHER}: its counts are not held against ours"))
            return None
        return ServerWork(
            life.began.at_ns, page.at_ns, grown.counts, grown.distributions, life.before.at_work, after.at_work
        )

    def _find(self, recorder: Recorder) -> tuple[Page, Reading] | None:
        if self._tries == _TRIES:
            return None
        self._tries += 1
        troubles = []
        for line in self._lines:
            page = line.ask_in_time()
            reading = Reading() if isinstance(page, str) else self._names.study(page.body)
            if not isinstance(page, str) and not reading.is_empty:
                self._line = line
                return page, reading
            troubles.append(_about(line, page if isinstance(page, str) else "it has no figure that llmload knows"))
        for trouble in troubles:
            recorder.note(trouble)
        if self._switch:
            recorder.note(self._switch)
        return None

    def _study(self, line: Line, recorder: Recorder) -> tuple[Page, Reading] | None:
        within_s = WITHIN_S if self._hung < _PATIENT_EDGES else _BRIEFLY_S
        began_s = time.monotonic()
        page = line.ask_in_time(within_s)
        if isinstance(page, str):
            self._hung += time.monotonic() - began_s >= _BRIEFLY_S
            recorder.note(_about(line, f"it was not read at the edge of a window: {page}"))
            return None
        self._hung = 0
        return page, self._names.study(page.body)

    def _settled(self, line: Line, before: Reading, recorder: Recorder) -> tuple[Page, Reading] | None:
        """The page once the server is done with what we cancelled, or as it is when that takes too long.

        A server that does not tell how many requests it has is done when nothing moves any more.
        """
        until_s = time.monotonic() + _SETTLED_S
        found = self._study(line, recorder)
        while found is not None and time.monotonic() < until_s:
            earlier = found[1]
            if before.at_work is not None and earlier.at_work is not None and earlier.at_work <= before.at_work:
                return found
            time.sleep(_LOOK_EVERY_S)
            found = self._study(line, recorder)
            if found is not None and found[1].at_work is None and found[1] == earlier:
                return found
        return found


def _about(line: Line, problem: str) -> str:
    return f"Metrics page {line.address.name}: {problem}"


_RESTARTED = "the server began anew within a window"
_IN_TURN = "several replicas answer in turn"
_EITHER = "the server began anew within a window, or several replicas answer in turn"


class _Life:
    """Whether the pages of one window are all of one server, which did not begin anew."""

    def __init__(self, began: Page, before: Reading) -> None:
        self.began, self.before = began, before
        self.broken = ""
        self._page, self._reading = began, before
        self._starts = [before.started_s]

    def goes_on(self, page: Page, reading: Reading) -> None:
        """The next page; one that was asked for before the last one came is passed over."""
        if page.began_ns < self._page.ended_ns:
            return
        if reading.started_s != self._starts[-1]:
            self.broken = _IN_TURN if reading.started_s in self._starts else _RESTARTED
            self._starts.append(reading.started_s)
        elif any(value < self._reading.counts.get(name, 0.0) for name, value in reading.counts.items()):
            self.broken = self.broken or _EITHER
        self._page, self._reading = page, reading
