"""What this machine is, from the files that Linux has for it; a machine that tells nothing is an answer too."""

from __future__ import annotations

from pathlib import Path

import pytest

from llmload.telemetry.host import cpu_model, host_here, in_gib

X86 = "processor\t: 0\nvendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC 9654\ncpu MHz\t\t: 2596.094\n"
ARM = "processor\t: 0\nBogoMIPS\t: 2000.00\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd4f\n"


def machine(root: Path, **files: str) -> Path:
    """A root folder with these files, whose names have `__` for `/`."""
    for name, text in files.items():
        file = root / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("text", "model"),
    [
        pytest.param(X86 + X86.replace("EPYC", "other"), "AMD EPYC 9654", id="x86"),
        pytest.param(ARM, "ARM Neoverse-V2", id="ARM, a known part"),
        pytest.param(ARM.replace("0xd4f", "0xfff"), "ARM part 0xfff", id="ARM, an unknown part"),
        pytest.param(ARM.replace("0x41", "0x99"), "implementer 0x99 part 0xd4f", id="an unknown maker"),
        pytest.param("processor\t: 0\ncpu\t\t: POWER9, altivec supported\n", "POWER9, altivec supported", id="POWER"),
        pytest.param("processor\t: 0\nuarch\t: sifive,u74-mc\n", "sifive,u74-mc", id="RISC-V"),
        pytest.param("processor\t: 0\n", "", id="nothing to go by"),
        pytest.param("model name : \x1b[2Jx\x00y\n", "xy", id="hostile"),
    ],
)
def test_the_cpu_is_named(tmp_path: Path, text: str, model: str) -> None:
    assert cpu_model(machine(tmp_path, proc__cpuinfo=text)) == model


def test_a_machine_tells_what_a_client_lives_by(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        proc__cpuinfo=X86,
        proc__meminfo="MemTotal:       24684084 kB\nSwapTotal: 1000 kB\nSwapFree: 400 kB\n",
        proc__self__cgroup="0::/\n",
        proc__sys__net__ipv4__ip_local_port_range="32768\t60999\n",
        proc__sys__net__ipv4__tcp_tw_reuse="2\n",
        sys__devices__system__cpu__cpu0__cpufreq__scaling_governor="powersave\n",
        sys__devices__system__cpu__cpu11__cpufreq__scaling_governor="performance\n",
        sys__devices__system__cpu__smt__active="1\n",
        sys__devices__system__clocksource__clocksource0__current_clocksource="hpet\n",
        sys__devices__system__clocksource__clocksource0__available_clocksource="tsc hpet acpi_pm \n",
    )
    (root / "sys/fs/cgroup").mkdir(parents=True)
    (root / "sys/fs/cgroup/cpu.max").write_text("150000 100000\n")
    (root / "sys/fs/cgroup/memory.max").write_text("2147483648\n")
    host = host_here(root, {})
    assert (host.cpu, host.cpu_quota, host.governor) == ("AMD EPYC 9654", 1.5, "performance + powersave")
    assert (host.memory_bytes, host.memory_limit_bytes) == (24_684_084 * 1024, 2 * 2**30)
    assert (host.ports, host.reuses_ports, host.swapped_bytes) == (28_232, 2, 600 * 1024)
    assert (host.clock, host.clocks, host.is_smt) == ("hpet", ("tsc", "hpet", "acpi_pm"), True)


def test_a_machine_that_tells_nothing_has_no_figures(tmp_path: Path) -> None:
    host = host_here(tmp_path, {})
    assert (host.cpu, host.governor, host.container, host.clock, host.clocks) == ("", "", "", "", ())
    figures = (host.memory_bytes, host.memory_limit_bytes, host.cpu_quota, host.ports, host.reuses_ports)
    assert {*figures, host.swapped_bytes, host.is_smt} == {None}
    assert host.usable_cpus >= 1


def test_files_with_nonsense_tell_nothing(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        proc__meminfo="MemTotal: lots\nSwapTotal:\nSwapFree: -1 kB\n",
        proc__sys__net__ipv4__ip_local_port_range="60999 32768\n",
        proc__sys__net__ipv4__tcp_tw_reuse="\u0662\n",
    )
    host = host_here(root, {})
    assert {host.memory_bytes, host.swapped_bytes, host.ports, host.reuses_ports} == {None}


@pytest.mark.parametrize(
    ("files", "env", "kind"),
    [
        pytest.param({}, {}, "", id="none"),
        pytest.param({".dockerenv": ""}, {}, "Docker", id="Docker"),
        pytest.param({"run__.containerenv": ""}, {}, "Podman", id="Podman"),
        pytest.param({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "Kubernetes", id="a pod"),
        pytest.param({"proc__1__cgroup": "0::/kubepods/burstable/pod1\n"}, {}, "Kubernetes", id="a pod by its cgroup"),
        pytest.param({"proc__1__cgroup": "0::/init.scope\n"}, {}, "", id="a machine"),
    ],
)
def test_the_kind_of_container(tmp_path: Path, files: dict[str, str], env: dict[str, str], kind: str) -> None:
    assert host_here(machine(tmp_path, **files), env).container == kind


def test_sizes_are_told_in_gib() -> None:
    assert in_gib(25_276_502_016) == "23.5 GiB"
