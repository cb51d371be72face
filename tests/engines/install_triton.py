"""Installs Triton Inference Server, of NVIDIA's wheel, into an environment of its own: `make engines`.

Of its own, since it wants numpy 1, and Python 3.11 or 3.12: its Python backend reads arrays of numpy 2 wrongly, and
numpy 1 has no wheel for later Pythons. Any such interpreter will do that has a libpython; ours need not be one.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ENGINES = Path(__file__).parents[2] / ".engines"
TRITON = ENGINES / "triton"
_RECORD, _REFUSAL = TRITON / "installed", ENGINES / "triton-cannot-run-here"
_REQUIREMENTS = ("nvidia-pytriton==0.7.0", "numpy==1.26.4")
_GLIBC = (2, 35)
_PYTHONS = (sys.executable, "python3.12", "python3.11")
_TELL_PYTHON = (
    "import sys, sysconfig; from pathlib import Path; "
    "library = Path(sysconfig.get_config_var('LIBDIR'), sysconfig.get_config_var('INSTSONAME') or ''); "
    "print(library.parent if library.suffix != '.a' and library.is_file() else '', "
    "*sys.version_info[:2], sys.executable, sep='|')"
)


@dataclass(frozen=True, slots=True)
class Installed:
    """Where the wheel's files lie, and the folder of the libpython that its backend runs."""

    packages: str
    libpython: str


def read_installed() -> Installed:
    """What `install` has left; AssertionError: it has not run."""
    assert _RECORD.exists(), f"no Triton in {TRITON}: `make engines` installs it"
    return Installed(**json.loads(_RECORD.read_text()))


def read_refusal() -> str | None:
    """Why Triton cannot be installed on this machine, as `install` found; None: it can, or nobody has tried."""
    return _REFUSAL.read_text() if _REFUSAL.exists() else None


def install() -> None:
    """Leave an environment that is ready, or the reason why there can be none here. Else CalledProcessError."""
    if _RECORD.exists():
        return
    ENGINES.mkdir(exist_ok=True)
    found = next((found for name in _PYTHONS if (found := _look_at(name)) is not None), None)
    libc, version = platform.libc_ver()
    if (platform.system(), platform.machine(), libc) != ("Linux", "x86_64", "glibc"):
        _refuse(f"its wheel is for glibc on x86_64, this is {platform.system()} {libc} on {platform.machine()}")
    elif tuple(map(int, version.split("."))) < _GLIBC:
        _refuse(f"its wheel needs glibc 2.35, this is {version}")
    elif found is None:
        _refuse("its Python backend needs python3.11 or python3.12 with a shared libpython, and none is on PATH")
    else:
        _install_with(*found)


def _look_at(name: str) -> tuple[str, str, str] | None:
    """Folder of libpython, version and path of an interpreter; None: it is not there, or not one for Triton."""
    path = shutil.which(name)
    done = path and subprocess.run([path, "-c", _TELL_PYTHON], capture_output=True, text=True, check=False)
    if not done or done.returncode != 0:
        return None
    libpython, major, minor, executable = done.stdout.strip().split("|")
    version = f"{major}.{minor}"
    return (libpython, version, executable) if libpython and version in ("3.11", "3.12") else None


def _install_with(libpython: str, version: str, executable: str) -> None:
    subprocess.run([executable, "-m", "venv", "--clear", str(TRITON)], check=True)
    pip = [str(TRITON / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, *_REQUIREMENTS], check=True)
    packages = TRITON / "lib" / f"python{version}" / "site-packages"
    server = packages / "pytriton" / "tritonserver"
    # pytriton itself does so when it starts the server; the backend looks for its stub nowhere else
    shutil.copy(
        server / "python_backend_stubs" / version / "triton_python_backend_stub", server / "backends" / "python"
    )
    _REFUSAL.unlink(missing_ok=True)
    _RECORD.write_text(json.dumps(asdict(Installed(str(packages), libpython))))


def _refuse(why: str) -> None:
    _REFUSAL.write_text(why)
    print(f"Triton is not tested on this machine: {why}", file=sys.stderr)


if __name__ == "__main__":
    install()
