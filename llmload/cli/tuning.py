"""What about this machine may stand between a client and a true measurement, and what to type about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from llmload.load.limits import FILES_BESIDE, UNLIMITED_FILES, Limits
from llmload.telemetry.host import Host, in_gib

STREAMS = 1_000
"""Open streams that a machine should be able to hold without anybody preparing it."""

TIME_WAIT_S = 60
"""How long Linux keeps the port of a connection that we closed (TCP_TIMEWAIT_LEN, include/net/tcp.h)."""

_ENOUGH_PER_S = 200  # new connections
_SLOW_CLOCKS = ("hpet", "acpi_pm", "jiffies", "refined-jiffies", "xen")
_SWAPPED = 2**26  # bytes; below lies what nobody has used since the machine started


@dataclass(frozen=True, slots=True)
class Tuning:
    """One thing to change: what it is, why a measurement suffers from it, and what to type."""

    what: str
    why: str
    command: str


@dataclass(frozen=True, slots=True)
class Client:
    """What decides how well this machine plays the client."""

    host: Host
    limits: Limits
    has_uvloop: bool
    vocabularies: tuple[str, ...]


def connections_per_s(host: Host) -> int | None:
    """New connections to one server that fit where we close them; None where nobody tells, or ports are used again."""
    return None if host.ports is None or host.reuses_ports == 1 else host.ports // TIME_WAIT_S


def tunings(client: Client) -> tuple[Tuning, ...]:
    """All that is worth changing, the gravest first; empty on a machine that is ready."""
    host = client.host
    return (
        *_about_cpus(host),
        *_about_clocks(host),
        *_about_files(client.limits),
        *_about_ports(host),
        *_about_memory(host),
        *_about_libraries(client),
    )


def _about_cpus(host: Host) -> Iterator[Tuning]:
    if host.cpu_quota is not None:
        yield Tuning(
            f"the container may use {host.cpu_quota:g} CPU(s)",
            "whoever uses up a quota stands still until its next period: the client is late, and the run invalid",
            "docker run --cpuset-cpus 0-3 instead of --cpus; in Kubernetes requests.cpu without limits.cpu",
        )
    if host.usable_cpus < 2:
        yield Tuning(
            "one CPU is ours to use",
            "the client shares it with everything else here, so that it is late when something else runs",
            "taskset -p $$ shows who may run where; give the client two CPUs or more",
        )
    if set(host.governor.split(" + ")) & {"powersave", "ondemand", "conservative", "schedutil"}:
        yield Tuning(
            f"the CPU governor is {host.governor}",
            "clocks follow the load with a delay: the first requests after a pause are told slower than they were",
            "sudo cpupower frequency-set --governor performance",
        )


def _about_clocks(host: Host) -> Iterator[Tuning]:
    if host.clock in _SLOW_CLOCKS:
        yield Tuning(
            f"the clock source is {host.clock}",
            "each reading of it is a call into the kernel or to a device, and every piece of text is stamped once",
            "echo tsc | sudo tee /sys/devices/system/clocksource/clocksource0/current_clocksource"
            if "tsc" in host.clocks
            else "dmesg | grep -i tsc shows why the CPU's own counter is not used",
        )


def _about_files(limits: Limits) -> Iterator[Tuning]:
    needed = STREAMS + FILES_BESIDE
    if limits.hard_files is not None and limits.hard_files < needed:
        yield Tuning(
            f"a process may have {limits.hard_files:,} files open, and not raise that",
            f"{STREAMS:,} streams need {needed:,}; more than fit are refused before anything is sent",
            f"LimitNOFILE={UNLIMITED_FILES} in systemd; docker run --ulimit nofile={UNLIMITED_FILES}",
        )
    elif limits.soft_files is not None and limits.soft_files < needed:
        yield Tuning(
            f"a process may have {limits.soft_files:,} files open",
            f"{STREAMS:,} streams need {needed:,}; workers raise it by themselves, and the report has a caveat",
            f"ulimit -n {min(limits.hard_files or UNLIMITED_FILES, UNLIMITED_FILES)}",
        )


def _about_ports(host: Host) -> Iterator[Tuning]:
    fit = connections_per_s(host)
    if host.ports is None or fit is None or fit >= _ENOUGH_PER_S:
        return
    yield Tuning(
        f"{host.ports:,} local ports towards one server",
        f"a connection that we closed keeps its port for {TIME_WAIT_S} s: only {fit:,} new ones a second fit",
        'sudo sysctl -w net.ipv4.ip_local_port_range="15000 65000" net.ipv4.tcp_tw_reuse=1',
    )


def _about_memory(host: Host) -> Iterator[Tuning]:
    if host.swapped_bytes is not None and host.swapped_bytes > _SWAPPED:
        yield Tuning(
            f"{in_gib(host.swapped_bytes)} lie in swap",
            "a page that is fetched back stops the client for milliseconds",
            "sudo swapoff -a, or end what takes the memory",
        )


def _about_libraries(client: Client) -> Iterator[Tuning]:
    if not client.has_uvloop:
        yield Tuning(
            "uvloop is not installed",
            "asyncio's own loop measures as truly, but each event takes more CPU, so that one client drives less load",
            "pip install uvloop",
        )
    if not client.vocabularies:
        yield Tuning(
            "there is no vocabulary of tiktoken",
            "where a server tells no usage and no tokenizer.json is named, tokens are estimated, which decides no gate",
            "llmload tokens fetch",
        )
