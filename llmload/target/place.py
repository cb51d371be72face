"""Where the server under test is: running already, or the embedded simulator, started for one run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import assert_never

from llmload.errors import TargetError
from llmload.scenario.asked import Launch, ServerUrl, Simulator, Target
from llmload.scenario.secrets import read_secret


@contextmanager
def open_target(target: Target, *, env: Mapping[str, str]) -> Iterator[str]:
    """Yield the base URL of the server under test; what was started here is stopped at the end.

    TargetError when it cannot be started.
    """
    match target.place:
        case ServerUrl(url):
            yield url
        case Simulator(api_key=key) as settings:
            from llmload.simulator.process import start

            process = start(settings, api_key=None if key is None else read_secret(key, env))
            try:
                yield process.url
            finally:
                process.stop()
        case Launch(command):
            raise TargetError(
                "target.launch",
                f"this version cannot start {command[0]}",
                "Start the server, and name it in target.url",
            )
        case _:
            assert_never(target.place)
