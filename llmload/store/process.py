"""Which process owns a run, and whether it still lives: a pid alone is given again to others."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

SILENCE_S = 3600.0
"""A process that we cannot look up counts as dead after so long without a sign of life."""


class Life(StrEnum):
    """What can be said of a process from here."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Process:
    """One process for good: no two share all three. `started` is empty where the system does not tell.

    `place` is host, boot and pid namespace: a pid means something only there.
    """

    place: str
    pid: int
    started: str


def this_process() -> Process:
    """The process that calls."""
    try:
        started = _start_of(os.getpid())
    except OSError:
        started = None
    return Process(_place(), os.getpid(), started or "")


def life_of(process: Process) -> Life:
    """Look a process up. A store in WAL mode is used on one machine only, so another boot of it is over."""
    ours, theirs = _place().split("/"), process.place.split("/")
    if ours[0] == theirs[0] and len(ours) == len(theirs) == 3 and ours[1] != theirs[1]:
        return Life.DEAD
    if ours != theirs or not process.started:
        return Life.UNKNOWN
    try:
        started = _start_of(process.pid)
    except OSError:
        return Life.UNKNOWN
    return Life.ALIVE if started == process.started else Life.DEAD


def is_gone(process: Process, seen_s: float) -> bool:
    """Whether a process that gave its last sign of life at `seen_s` (Unix time) has ended.

    One that cannot be looked up has an hour to speak.
    """
    match life_of(process):
        case Life.DEAD:
            return True
        case Life.ALIVE:
            return False
        case Life.UNKNOWN:
            return time.time() - seen_s > SILENCE_S


def _place() -> str:
    boot, namespace = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")
    try:
        return f"{socket.gethostname()}/{boot.read_text().strip()}/{namespace.readlink()}"
    except OSError:
        return socket.gethostname()


def _start_of(pid: int) -> str | None:
    """When a process began, in the system's own words; None when there is no such process.

    OSError where the system cannot be asked. A killed process whose parent has not noticed (a zombie) is gone.
    """
    if not Path("/proc/self/stat").exists():
        return _start_by_ps(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = stat.rpartition(")")[2].split()  # the name in parentheses may hold anything
    return None if state in "ZX" else fields[18]  # field 22 of proc(5): ticks from boot to start


def _start_by_ps(pid: int) -> str | None:
    """The same where there is no /proc, as on macOS."""
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    try:
        told = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise OSError("ps does not answer") from error
    return told.stdout.strip() or None
