"""Where the server under test is: running already, launched for one run, or the simulator that comes with us."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, assert_never

from llmload.errors import TargetError
from llmload.frameworks.registry import adapter_for
from llmload.progress import Waiting
from llmload.scenario.asked import Launch, ServerUrl, Simulator, Target
from llmload.scenario.secrets import read_secret
from llmload.target.launch import LaunchedServer, launched

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Opened:
    """A server under test for the time of a run."""

    url: str
    _target: Target
    _launched: LaunchedServer | None = None

    def when_ready(self, ask: Callable[[], Answer], on_wait: Callable[[Waiting], None]) -> Answer:
        """What `ask` brings; a server of ours is waited for, and one that runs already must answer at once."""
        if self._launched is None:
            return ask()
        return self._launched.when_ready(ask, adapter=adapter_for(self._target.framework), on_wait=on_wait)

    def death(self) -> TargetError | None:
        """How a server that we launched ended; None while it runs, and of others nobody tells us."""
        return None if self._launched is None else self._launched.death()


@contextmanager
def open_target(
    target: Target, *, env: Mapping[str, str], log: Path, scrub: Callable[[str], str] = str
) -> Iterator[Opened]:
    """Yield the server under test; what was started here is stopped at the end.

    What a launched server prints goes to `log`, through `scrub`. TargetError or UsageError when it cannot be started.
    """
    match target.place:
        case ServerUrl(url):
            yield Opened(url, target)
        case Simulator(api_key=key) as settings:
            from llmload.simulator.process import start

            process = start(settings, api_key=None if key is None else read_secret(key, env))
            try:
                yield Opened(process.url, target)
            finally:
                process.stop()
        case Launch() as launch:
            with launched(launch, env=env, log=log, scrub=scrub) as server:
                yield Opened(launch.url, target, server)
        case _:
            assert_never(target.place)
