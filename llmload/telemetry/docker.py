"""The log of a Docker container: by the `docker` command, or by Docker's socket where there is no command."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from llmload.plain_text import plain
from llmload.telemetry.docker_command import CommandLog
from llmload.telemetry.docker_socket import SocketLog
from llmload.telemetry.recorder import Recorder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,254}")  # as Docker allows them: no option, no path, no shell word
_SOCKET = "/var/run/docker.sock"


def container_log(name: str) -> CommandLog | SocketLog | NoLog:
    """The log of a container by its name or id, from now on; why there is none is said by its first look."""
    if not _NAME.fullmatch(name):
        return NoLog(f"Server log: {plain(name, 80)!r} is no name of a container")
    if command := shutil.which("docker"):
        return CommandLog(command, name)
    host = os.environ.get("DOCKER_HOST", "")
    if host and not host.startswith("unix://"):
        return NoLog(f"Server log of container {name}: DOCKER_HOST is no UNIX socket, which takes the docker command")
    path = host.removeprefix("unix://") or _SOCKET
    if not Path(path).exists():
        return NoLog(f"Server log of container {name}: there is neither the docker command nor the socket {path}")
    return SocketLog(path, name)


class NoLog:
    """A log that cannot be had."""

    def __init__(self, because: str) -> None:
        self._because = because

    def read(self, recorder: Recorder) -> list[str]:
        """Nothing, and why."""
        recorder.note(self._because)
        return []

    def close(self) -> None:
        """Nothing to let go."""
