"""A server that is started for one run: waited for, watched, and stopped with everything that it started itself."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeVar, cast
from urllib.parse import urlsplit

import httpx

from llmload.errors import StoreError, TargetError, UsageError
from llmload.frameworks.adapter import Adapter
from llmload.frameworks.address import join_url
from llmload.progress import Waiting
from llmload.scenario.asked import Launch
from llmload.scenario.secrets import scrub_url
from llmload.target.server_log import ServerLog
from llmload.units import format_duration

GRACE_S = 10.0
"""From SIGTERM to SIGKILL at the end of a run."""

HURRIED_GRACE_S = 1.0
"""The same after Ctrl-C, SIGTERM or a crash of ours while nothing more is expected of the server."""

_COMMAND = "spec.target.launch.command"
_START_S = 30.0  # it takes a twentieth of a second; a busy CI machine may take its time
_KILL_S = 8.0  # more than the guardian takes after the grace
_LOG_S = 2.0
_LOOK_EVERY_S = 0.25
_ASK_S = 2.0
_NEWS_S = 0.5  # a server that has just died: its connections say so before its guardian does
_WARM_UP_S = 10.0  # ready by its own word, and yet no answer
_MAY_PASS = ("ServerNotReady", "TrialFailed")
_WHOLE_WORD = 65_536
_STARTING = (500, 502, 503, 504)
_PORTS = {"http": 80, "https": 443}

Answer = TypeVar("Answer")


@contextmanager
def launched(
    launch: Launch, *, env: Mapping[str, str], log: Path, scrub: Callable[[str], str]
) -> Iterator[LaunchedServer]:
    """Start the server, and stop it at the end of the block, whatever ends that; what it prints goes to `log`.

    UsageError: the command cannot be run. TargetError: somebody else listens at its URL already; in place of any
    other one out of the block, that the server died, and its last words.
    """
    server = _start(launch, env=env, log=log, scrub=scrub)
    grace_s = GRACE_S
    try:
        yield server
    except TargetError as error:
        death = server.death(_NEWS_S)
        raise (error if death is None else death) from None
    except BaseException:
        grace_s = HURRIED_GRACE_S
        raise
    finally:
        server.stop(grace_s)


def _start(launch: Launch, *, env: Mapping[str, str], log: Path, scrub: Callable[[str], str]) -> LaunchedServer:
    environment = {**env, **launch.env}
    executable = _find(launch.command[0], environment.get("PATH", os.defpath))
    _refuse_taken(launch.url)
    try:
        kept = ServerLog(log, scrub)
    except OSError as error:
        remedy = "Make room or choose another --out"
        raise StoreError(str(log), f"the server's log cannot be written ({error.strerror})", remedy) from None
    order = {"command": launch.command, "executable": executable, "env": environment}
    server = LaunchedServer(launch, kept)
    try:
        server.begin(order)
    except BaseException:
        server.stop(HURRIED_GRACE_S)
        raise
    return server


def _find(command: str, path: str) -> str:
    """The program's file: in PATH, or beside llmload, whose environment nobody may have activated."""
    found = shutil.which(command, path=os.pathsep.join((path, str(Path(sys.executable).parent))))
    if found is not None:
        return found
    if Path(command).exists():
        raise UsageError(_COMMAND, f"{command} is not a program that we may run", f"Try chmod +x {command}")
    where = "there is no file" if os.sep in command else "there is, in PATH and beside llmload, no program"
    raise UsageError(_COMMAND, f"{where} {command}", "Install it, or write the path of its file")


def _refuse_taken(url: str) -> None:
    """TargetError when somebody answers before we start: that server would be measured in place of ours."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname or "", parts.port or _PORTS[parts.scheme]), timeout=_ASK_S).close()
    except (OSError, UnicodeError):
        return
    raise TargetError(
        scrub_url(url),
        "something listens there already, before the server was launched",
        "Stop it, or choose another port in target.url and the command; without launch, that server is measured",
        kind="PortTaken",
    )


class LaunchedServer:
    """A server of ours. A guardian process owns it, and ends it when we are gone (target/guardian.py)."""

    def __init__(self, launch: Launch, log: ServerLog) -> None:
        self._launch, self._log = launch, log
        self._name = scrub_url(launch.url)
        self._reports, report = os.pipe()
        self._unread = b""
        self._pid: int | None = None
        self._code: int | None = None
        self._is_ready = False
        self._is_stopped = False
        self._guardian = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-P", "-m", "llmload.target.guardian", str(report)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
            pass_fds=(report,),
            process_group=0,  # out of reach of the terminal's Ctrl-C
        )
        os.close(report)
        log.copy(cast(IO[bytes], self._guardian.stdout))

    @property
    def pid(self) -> int | None:
        """Its process id, which is that of its process group too."""
        return self._pid

    def begin(self, order: Mapping[str, object]) -> None:
        """Let the guardian start it; UsageError when it cannot be run."""
        self._tell(json.dumps(order))
        match self._news(_START_S):
            case "started", pid:
                self._pid = pid
            case "failed", error:
                reason = os.strerror(error)
                raise UsageError(
                    _COMMAND, f"{self._launch.command[0]} cannot be run ({reason})", "Check what kind of file it is"
                )
            case _:
                raise TargetError(self._name, "the guardian of the server did not start it", "Is the machine busy?")

    def death(self, within_s: float = 0.0) -> TargetError | None:
        """How it ended, with its last words; None while it runs."""
        if self._code is None and (news := self._news(within_s)) is not None:
            self._code = news[1]
        if self._code is None:
            return None
        self._log.wait(_NEWS_S)
        code = self._code
        how = f"signal {_name_of(-code)}" if code < 0 else f"exit code {code}"
        when = "while it was measured" if self._is_ready else "before it was ready"
        remedy = f"Read {self._log.path}, mend what it says, then run again"
        if code == 0:
            remedy = "Write a command that stays in the foreground until it is stopped"
        if code == -signal.SIGKILL:
            remedy = f"Look for a lack of memory, and read {self._log.path}"
        return TargetError(
            self._name, f"the launched server ended {when} with {how}{self._said()}", remedy, kind="ServerDied"
        )

    def when_ready(self, ask: Callable[[], Answer], *, adapter: Adapter, on_wait: Callable[[Waiting], None]) -> Answer:
        """What `ask` brings once the server says at one of its framework's paths that it is ready.

        `ask` is tried again for a while, since some are ready by their word before they can answer. TargetError: it
        died, or was not ready in time.
        """
        self._wait_for_its_word(adapter, on_wait)
        give_up = time.monotonic() + _WARM_UP_S
        while True:
            try:
                answer = ask()
            except TargetError as error:
                if (death := self.death(_NEWS_S)) is not None:
                    raise death from None
                if error.kind not in _MAY_PASS or time.monotonic() > give_up:
                    raise
            else:
                self._is_ready = True
                return answer

    def _wait_for_its_word(self, adapter: Adapter, on_wait: Callable[[Waiting], None]) -> None:
        began, limit_s = time.monotonic(), self._launch.ready_timeout_s
        with httpx.Client(trust_env=False, verify=False, timeout=_ASK_S) as client:  # noqa: S501 - the probe checks
            while (state := self._not_yet(client, adapter)) is not None:
                if (death := self.death(_LOOK_EVERY_S)) is not None:
                    raise death
                waited_s = time.monotonic() - began
                if waited_s > limit_s:
                    raise TargetError(
                        self._name,
                        f"the launched server was not ready within {format_duration(limit_s)} ({state}){self._said()}",
                        f"Read {self._log.path}, or raise target.launch.ready_timeout",
                    )
                on_wait(Waiting(waited_s, limit_s))

    def _not_yet(self, client: httpx.Client, adapter: Adapter) -> str | None:
        """Why it cannot be asked yet; the first path that it knows decides, and one without any is up."""
        for path in adapter.ready_paths:
            try:
                with client.stream("GET", join_url(self._launch.url, path)) as response:
                    status = response.status_code
                    next(response.iter_raw(_WHOLE_WORD), b"")  # to its end, or servers log that we hung up
            except (httpx.ConnectError, httpx.ConnectTimeout):
                return "nothing listens there"
            except httpx.HTTPError:
                return f"no answer to GET {path}"
            if response.is_success:
                return None
            if status in adapter.unready or status in _STARTING:
                return f"HTTP {status} to GET {path}"
        return None

    def stop(self, grace_s: float) -> None:
        """SIGTERM to its whole process group, SIGKILL after `grace_s`, or at once when we are interrupted here.

        May be called twice.
        """
        if self._is_stopped:
            return
        self._is_stopped = True
        try:
            self._end(grace_s)
        except BaseException:
            self._end(0.0)
            raise
        finally:
            self._log.wait(_LOG_S)
            os.close(self._reports)
            cast(IO[bytes], self._guardian.stdin).close()

    def _end(self, grace_s: float) -> None:
        self._tell(f"stop {grace_s:g}")
        try:
            code = self._guardian.wait(grace_s + _KILL_S)
        except subprocess.TimeoutExpired:
            self._guardian.kill()
            code = self._guardian.wait()
        if code < 0 and self._pid is not None:  # somebody killed the guardian: what it guarded is ours to end
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)

    def _tell(self, line: str) -> None:
        with suppress(BrokenPipeError):  # it has ended already
            cast(IO[bytes], self._guardian.stdin).write(f"{line}\n".encode())

    def _news(self, within_s: float) -> tuple[str, int] | None:
        """The guardian's next line; its own end is the server's, by SIGKILL."""
        give_up = time.monotonic() + within_s
        while b"\n" not in self._unread:
            if not select.select([self._reports], [], [], max(0.0, give_up - time.monotonic()))[0]:
                return None
            if not (more := os.read(self._reports, 4096)):
                return "ended", -signal.SIGKILL
            self._unread += more
        line, _, self._unread = self._unread.partition(b"\n")
        word, _, number = line.decode().partition(" ")
        return word, int(number)

    def _said(self) -> str:
        words = self._log.last_words()
        return f"; its last words: {words}" if words else "; it printed nothing"


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
