"""Stands between llmload and a server that it launched, so that nothing of the server outlives either of them.

`python -m llmload.target.guardian FD`: the first line of stdin is JSON that says what to start. A line "stop SECONDS",
or the end of stdin, which comes when llmload ends in whatever way, stops the server: SIGTERM to its whole process
group, SIGKILL after those seconds. The server's own end stops what it leaves behind in the same way. FD is told
"started PID" or "failed ERRNO", then "ended CODE", negative for a signal. Standard library only: it must start fast.

On Linux it adopts orphans, so that processes which left the group die too, and the server dies if the guardian does.
"""

from __future__ import annotations

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Final

UNASKED_GRACE_S = 5.0
"""What the server gets to end by itself when llmload was killed, and its workers when it died."""

_LOOK_EVERY_S = 0.05
_KILL_S = 5.0  # a process that the kernel does not let go, or that is another user's, is left after that
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_STDIN: Final = 0


def main() -> None:
    """Start what is asked for, and return when nothing of it is left."""
    report = int(sys.argv[1])
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    orders = _Orders()
    if not (first := orders.first()):
        return
    order = json.loads(first)
    try:
        server = subprocess.Popen(  # noqa: S603 - what the scenario asks for
            order["command"],
            executable=order["executable"],
            env=order["env"],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=lambda: _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL),  # noqa: PLW1509 - no threads here
        )
    except OSError as error:
        _tell(report, f"failed {error.errno}")
        return
    _tell(report, f"started {server.pid}")
    _Guard(server, report, orders).watch()


class _Orders:
    """What llmload writes; signals wake whoever waits here, SIGTERM reads as the end of it."""

    def __init__(self) -> None:
        self.stop_by: float | None = None
        self._text = b""
        self._is_open = True
        wake, signals = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(signals, False)
        signal.set_wakeup_fd(signals, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: self.stop_within(UNASKED_GRACE_S))
        self._wake = wake
        self._selector = selectors.DefaultSelector()
        self._selector.register(_STDIN, selectors.EVENT_READ)
        self._selector.register(wake, selectors.EVENT_READ)

    def first(self) -> bytes:
        """The first line."""
        while b"\n" not in self._text and (more := os.read(_STDIN, 65_536)):
            self._text += more
        line, _, self._text = self._text.partition(b"\n")
        return line

    def wait(self, within_s: float | None) -> None:
        """Return when there is news, of llmload or of a child, or after `within_s`."""
        for key, _ in self._selector.select(within_s):
            if key.fd == _STDIN:
                self._read()
            else:
                os.read(self._wake, 4096)

    def _read(self) -> None:
        more = os.read(_STDIN, 4096)
        if not more:
            self._selector.unregister(_STDIN)
            self.stop_within(UNASKED_GRACE_S)
        *lines, self._text = (self._text + more).split(b"\n")
        for line in lines:
            self.stop_within(float(line.removeprefix(b"stop ")))

    def stop_within(self, seconds: float) -> None:
        """The shortest time that was ever given counts."""
        stop_by = monotonic() + seconds
        self.stop_by = stop_by if self.stop_by is None else min(self.stop_by, stop_by)


class _Guard:
    """One server, from its start to the end of its last process."""

    def __init__(self, server: subprocess.Popen[bytes], report: int, orders: _Orders) -> None:
        self._server, self._report, self._orders = server, report, orders
        self._is_group_gone = False

    def watch(self) -> None:
        """Until the server ends or is to be stopped; then end its group, and everything that left the group."""
        while self._orders.stop_by is None and self._reap():
            self._orders.wait(None)
        if self._orders.stop_by is None:
            self._orders.stop_within(UNASKED_GRACE_S)
        self._signal(signal.SIGTERM)
        while self._reap() | self._has_group() and monotonic() < (self._orders.stop_by or 0.0):
            self._orders.wait(_LOOK_EVERY_S)
        give_up = monotonic() + _KILL_S
        while self._reap() | self._has_group() | _has_children() and monotonic() < give_up:
            self._signal(signal.SIGKILL)
            for pid in _children():
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL)
            self._orders.wait(_LOOK_EVERY_S)

    def _reap(self) -> bool:
        """Collect what has ended; whether the server itself still runs."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid == self._server.pid:
                    self._server.returncode = os.waitstatus_to_exitcode(status)
                    _tell(self._report, f"ended {self._server.returncode}")
        return self._server.returncode is None

    def _has_group(self) -> bool:
        return self._signal(0)

    def _signal(self, number: int) -> bool:
        """Send it to the group; whether there still is one. Its number may be another's once it is gone."""
        if self._is_group_gone:
            return False
        with suppress(PermissionError):  # another user's now: it is there
            try:
                os.killpg(self._server.pid, number)
            except ProcessLookupError:
                self._is_group_gone = True
        return not self._is_group_gone


def _has_children() -> bool:
    """Whether any child is left, running or not yet collected."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _children() -> list[int]:
    """Processes whose parent is this one; none where there is no /proc, and nobody is adopted there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, ValueError, IndexError):
            parent = int(stat.read_text(errors="replace").rpartition(")")[2].split()[1])
            if parent == os.getpid():
                found.append(int(stat.parent.name))
    return found


def _prctl(option: int, argument: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, argument, 0, 0, 0)


def _tell(report: int, line: str) -> None:
    with suppress(BrokenPipeError):
        os.write(report, f"{line}\n".encode())


if __name__ == "__main__":
    main()
