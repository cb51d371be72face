"""What this machine is, as Linux tells it below /proc and /sys. What cannot be read, or is no Linux, is None or ""."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from llmload.machine import cpu_quota, memory_limit_bytes, usable_cpus
from llmload.plain_text import plain

_ROOT = Path("/")
_PORTS = "proc/sys/net/ipv4/ip_local_port_range"
_CLOCKS = "sys/devices/system/clocksource/clocksource0"
_CPUS = "sys/devices/system/cpu"
_MODELS = ("model name", "cpu model", "uarch", "cpu", "Processor")
"""Lines of /proc/cpuinfo that name a model: x86; MIPS and LoongArch; RISC-V; POWER; 32-bit ARM."""
_IMPLEMENTERS = {"0x41": "ARM", "0x4e": "NVIDIA", "0x61": "Apple", "0xc0": "Ampere"}
_PARTS = {
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x41", "0xd84"): "Neoverse-V3",
    ("0x41", "0xd8e"): "Neoverse-N3",
    ("0xc0", "0xac3"): "Ampere-1",
    ("0xc0", "0xac4"): "Ampere-1a",
}
"""64-bit ARM has no line for the model, only numbers (arch/arm64/include/asm/cputype.h of Linux)."""


@dataclass(frozen=True, slots=True)
class Host:
    """One machine, as far as it tells. `container` is what we run in, "" where nothing says that we do."""

    system: str
    cpu: str
    usable_cpus: int
    all_cpus: int | None
    cpu_quota: float | None
    memory_bytes: int | None
    memory_limit_bytes: int | None
    container: str
    governor: str
    clock: str
    clocks: tuple[str, ...]  # those that it could have
    is_smt: bool | None
    swapped_bytes: int | None
    ports: int | None  # towards one address and port of a server
    reuses_ports: int | None  # net.ipv4.tcp_tw_reuse: 0 never, 1 always, 2 on loopback


def host_here(root: Path = _ROOT, env: Mapping[str, str] = os.environ) -> Host:
    """The machine that this process runs on."""
    memory = _table(root / "proc/meminfo")
    total, free = _kib(memory.get("SwapTotal")), _kib(memory.get("SwapFree"))
    smt = _line(root / _CPUS / "smt/active")
    return Host(
        system=plain(f"{platform.system()} {platform.release()} {platform.machine()}"),
        cpu=cpu_model(root),
        usable_cpus=usable_cpus(root / "sys/fs/cgroup", root / "proc/self/cgroup"),
        all_cpus=os.cpu_count(),
        cpu_quota=cpu_quota(root / "sys/fs/cgroup", root / "proc/self/cgroup"),
        memory_bytes=_kib(memory.get("MemTotal")),
        memory_limit_bytes=memory_limit_bytes(root / "sys/fs/cgroup", root / "proc/self/cgroup"),
        container=container(root, env),
        governor=governor(root),
        clock=_line(root / _CLOCKS / "current_clocksource"),
        clocks=tuple(_line(root / _CLOCKS / "available_clocksource").split()),
        is_smt=smt == "1" if smt else None,
        swapped_bytes=None if total is None or free is None else total - free,
        ports=_ports(_line(root / _PORTS)),
        reuses_ports=_whole(_line(root / "proc/sys/net/ipv4/tcp_tw_reuse")),
    )


def cpu_model(root: Path = _ROOT) -> str:
    """The CPU by its name, or by its maker's numbers where Linux has no name for it."""
    known = _table(root / "proc/cpuinfo")
    if not known:
        return plain(platform.processor()) if root == _ROOT else ""
    if named := next((known[name] for name in _MODELS if known.get(name)), ""):
        return plain(named)
    implementer, part = known.get("CPU implementer", ""), known.get("CPU part", "")
    maker = _IMPLEMENTERS.get(implementer, f"implementer {implementer}" if implementer else "")
    return plain(" ".join(filter(None, (maker, _PARTS.get((implementer, part), f"part {part}" if part else "")))))


def governor(root: Path = _ROOT) -> str:
    """How the CPUs choose their clocks; several where they differ, "" where nobody tells, as in virtual machines."""
    found = {_line(file) for file in (root / _CPUS).glob("cpu[0-9]*/cpufreq/scaling_governor")}
    return plain(" + ".join(sorted(found - {""})))


def container(root: Path = _ROOT, env: Mapping[str, str] = os.environ) -> str:
    """What kind of container we run in, as it shows from inside."""
    if env.get("KUBERNETES_SERVICE_HOST"):
        return "Kubernetes"
    if (root / "run/.containerenv").exists():
        return "Podman"
    if (root / ".dockerenv").exists():
        return "Docker"
    first = _text(root / "proc/1/cgroup")
    named = {"kubepods": "Kubernetes", "docker": "Docker", "libpod": "Podman", "lxc": "LXC"}
    return next((name for word, name in named.items() if word in first), "")


def in_gib(size: int) -> str:
    """Bytes as people say them."""
    return f"{size / 2**30:.1f} GiB"


def _table(file: Path) -> dict[str, str]:
    """Lines of `name: value`; of a name that comes again the first value, since CPUs tell one after another."""
    found: dict[str, str] = {}
    for line in _text(file).splitlines():
        name, colon, value = line.partition(":")
        if colon:
            found.setdefault(name.strip(), value.strip())
    return found


def _kib(value: str | None) -> int | None:
    number = _whole(value.split()[0] if value else "")
    return None if number is None else number * 1024


def _ports(line: str) -> int | None:
    words = [_whole(word) for word in line.split()]
    match words:
        case [int(low), int(high)] if low <= high:
            return high - low + 1
        case _:
            return None


def _whole(word: str) -> int | None:
    return int(word) if word.isascii() and word.isdigit() else None


def _line(file: Path) -> str:
    return _text(file).strip()


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="replace") as opened:
            return opened.read(65_536)
    except OSError:  # not Linux, or hidden from us
        return ""
