"""Our own command as a child process that hears each signal exactly once, and cannot outlive a second one for long."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import FrameType

from llmload.analysis.conclusions import DIFFERENT, PRECEDENCE
from llmload.errors import UsageError

KILL_AFTER_S = 2.0
"""How long the child may take to end after the second signal. GitHub kills everything 2.5 s after its second one."""

_DEFECT, _INTERRUPTED, _TERMINATED = 70, 130, 143
_MEANT = frozenset({*PRECEDENCE, DIFFERENT})
"""Exit codes that say something; 1 is one of `compare`, and of an interpreter that cannot start."""

_PASSED_ON = {
    signal.SIGINT: signal.SIGINT,
    signal.SIGTERM: signal.SIGTERM,
    signal.SIGHUP: signal.SIGTERM,  # of which nobody would keep what was measured
}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: the `code` that stands for it (METRICS.md), and the signal that it died of; "" for none."""

    code: int
    died_of: str = ""


_FOR_STEPS = frozenset({"GITHUB_ENV", "GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STATE", "GITHUB_STEP_SUMMARY"})
"""Files by which a step of GitHub Actions tells later ones what to run with: not for what a scenario starts."""


def own_command(words: Sequence[str]) -> tuple[str, ...]:
    """`llmload` with these words, by our own interpreter; -P imports nothing from the folder that we stand in."""
    return (sys.executable, "-P", "-m", "llmload", *words)


def run_to_end(command: Sequence[str], patience_s: float = KILL_AFTER_S) -> Ended:
    """Run a command to its end, its output where ours goes.

    Needs the main thread. UsageError where no process can be given such words.
    """
    relay = _Relay(patience_s)
    with relay.listening():
        try:
            # a group of its own: Ctrl-C in a terminal comes to us alone, and the child hears it once
            relay.child = subprocess.Popen(  # noqa: S603 - no shell
                command, env=_for_child(os.environ), stdin=subprocess.DEVNULL, process_group=0
            )
        except OSError as error:
            problem = f"the command cannot be started ({error.strerror})"
            raise UsageError("inputs", problem, "Name fewer scenario files or values, or use shards") from None
        try:
            relay.pass_on()  # what came while it was being started
            code = relay.child.wait()
        finally:
            relay.kill()
    return Ended(_meaning(code, relay.received), _name(-code) if code < 0 else "")


@dataclass(slots=True)
class _Relay:
    """Passes signals on to the child, each once. `received` are those that came, in order."""

    patience_s: float
    child: subprocess.Popen[bytes] | None = None
    received: list[int] = field(default_factory=list)
    _passed_on: int = 0

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Receive signals inside the block. A terminal that is gone is ignored where `nohup` says so."""
        is_nohup = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        actions = {number: self.receive for number in _PASSED_ON if number is not signal.SIGHUP or not is_nohup}
        former = {number: signal.signal(number, action) for number, action in actions.items()}
        former[signal.SIGALRM] = signal.signal(signal.SIGALRM, self.lose_patience)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            for number, action in former.items():
                signal.signal(number, action)

    def receive(self, signum: int, _: FrameType | None) -> None:
        """The first signal lets the child keep what it has, the second one stops it at once, or soon."""
        self.received.append(signum)
        self.pass_on()

    def pass_on(self) -> None:
        """Tell the child what it was not told yet; nothing before there is one."""
        while self.child is not None and self._passed_on < len(self.received):
            signum = signal.Signals(self.received[self._passed_on])
            self._passed_on += 1  # before it is sent: the next signal may come right here
            self.child.send_signal(_PASSED_ON[signum])
            if self._passed_on > 1:
                signal.setitimer(signal.ITIMER_REAL, self.patience_s)

    def lose_patience(self, _: int, __: FrameType | None) -> None:
        """The child ignores signals."""
        self.kill()

    def kill(self) -> None:
        """End the child and the processes of its group; nothing where it has ended by itself."""
        if self.child is not None and self.child.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)


def _for_child(env: Mapping[str, str]) -> dict[str, str]:
    """A program that wants to find those files finds them; one that only uses its environment changes no later step."""
    return {name: value for name, value in env.items() if name not in _FOR_STEPS}


def _meaning(code: int, received: Sequence[int]) -> int:
    """What an exit code says: METRICS.md's own stay; a child that ended otherwise was stopped, or has a defect."""
    if code in _MEANT:
        return code
    signum = received[0] if received else -code
    if signum == signal.SIGINT:
        return _INTERRUPTED
    return _TERMINATED if signum in (signal.SIGTERM, signal.SIGHUP) else _DEFECT


def _name(signum: int) -> str:
    """Not every signal has one."""
    return signal.Signals(signum).name if signum in set(signal.Signals) else f"signal {signum}"
