"""`llmload info`: what this machine is, and what about it a measurement would suffer from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from llmload.cli import options

if TYPE_CHECKING:
    from pathlib import Path

    from llmload.cli.tuning import Client, Tuning
    from llmload.samples import Gpu

_LIBRARIES = (
    *("httptools", "httpx", "uvloop", "orjson", "pydantic", "numpy", "scipy", "tiktoken", "datasette"),
    *("nvidia-ml-py", "prometheus-client"),
)
_EXTRAS = {"hf": "tokenizers", "http2": "h2", "ray": "ray"}
_Facts = Mapping[str, object]


def info(
    store: options.Store = options.DEFAULT_STORE,
    json: Annotated[bool, typer.Option("--json", help="Print one object and nothing else.")] = False,
) -> None:
    """Tell the versions, this machine, its GPUs and limits, and what to change before it measures.

    Each piece of advice says what it is, why a measurement suffers from it, and what to type. What cannot be read is
    left out, or null with --json. Nothing is sent and nothing is changed. Exit code 0.

    Example: llmload info
    """
    from dataclasses import asdict

    from llmload.cli.tuning import tunings
    from llmload.telemetry.gpu import open_here

    reader = open_here()
    gpus, why_none = reader.gpus, reader.note
    reader.close()
    client = _client()
    advice = tunings(client)
    facts = {
        "versions": _versions(),
        "machine": _machine(client),
        "limits": _limits(client),
        "client": _about_client(client, store),
    }
    if json:
        import json as encoder

        listed = {"gpus": [asdict(gpu) for gpu in gpus], "advice": [asdict(each) for each in advice]}
        print(encoder.dumps({**facts, **listed}, indent=2, ensure_ascii=False))
        return
    print("\n".join(_as_text(facts, gpus, why_none, advice)))


def _client() -> Client:
    from importlib.util import find_spec

    from llmload.cli.tuning import Client
    from llmload.load.limits import limits_here
    from llmload.telemetry.host import host_here
    from llmload.workload.tokens import vocabularies_here

    return Client(host_here(), limits_here(), find_spec("uvloop") is not None, vocabularies_here())


def _versions() -> _Facts:
    """Of llmload, Python and the libraries that a measurement lives by; None for what is not installed."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    from llmload import __version__

    def installed(name: str) -> str | None:
        try:
            return version(name)
        except PackageNotFoundError:
            return None

    libraries = {name: installed(name) for name in (*_LIBRARIES, *_EXTRAS.values())}
    return {
        "llmload": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        **libraries,
    }


def _machine(client: Client) -> _Facts:
    host = client.host
    return {
        "system": host.system,
        "container": host.container or None,
        "cpu": host.cpu or None,
        "cpus": host.all_cpus,
        "usable_cpus": host.usable_cpus,
        "cpu_quota": host.cpu_quota,
        "cpu_governor": host.governor or None,
        "threads_share_cores": host.is_smt,
        "clock": host.clock or None,
        "memory_bytes": host.memory_bytes,
        "memory_limit_bytes": host.memory_limit_bytes,
        "swapped_bytes": host.swapped_bytes,
    }


def _limits(client: Client) -> _Facts:
    from llmload.cli.tuning import connections_per_s

    return {
        "open_files": client.limits.soft_files,
        "open_files_at_most": client.limits.hard_files,
        "local_ports": client.host.ports,
        "tcp_tw_reuse": client.host.reuses_ports,
        "new_connections_per_s": connections_per_s(client.host),
    }


def _about_client(client: Client, store: Path) -> _Facts:
    import shutil

    return {
        "event_loop": "uvloop" if client.has_uvloop else "asyncio",
        "vocabularies": list(client.vocabularies),
        "docker": shutil.which("docker"),
        **_about_store(store),
    }


def _about_store(store: Path) -> _Facts:
    try:
        return {"store": _as_unicode(store.absolute()), "store_exists": store.exists()}
    except OSError:  # the working directory is gone, or the folder is another's
        return {"store": _as_unicode(store), "store_exists": None}


def _as_unicode(path: Path) -> str:
    """A path may hold bytes that are no text, and that no program reads from JSON."""
    return str(path).encode("utf-8", "replace").decode()


def _as_text(
    facts: Mapping[str, _Facts], gpus: Sequence[Gpu], why_none: str, advice: Sequence[Tuning]
) -> Iterator[str]:
    for section, told in facts.items():
        yield section
        lines = {name.removesuffix("_bytes").replace("_", " "): _written(name, value) for name, value in told.items()}
        width = max(map(len, lines))
        yield from (f"  {name:<{width}}  {value}" for name, value in lines.items())
        yield ""
    yield "gpus"
    yield from (f"  {_described(gpu)}" for gpu in gpus)
    if why_none:
        yield f"  {why_none}"
    yield ""
    yield "advice" if advice else "advice: none, this machine is ready"
    for number, each in enumerate(advice, start=1):
        yield f"  {number}. {each.what}"
        yield f"     why:  {each.why}"
        yield f"     type: {each.command}"


def _written(name: str, value: object) -> str:
    from llmload.plain_text import plain
    from llmload.telemetry.host import in_gib

    match value:
        case None:
            return "not installed" if name in (*_LIBRARIES, *_EXTRAS.values()) else "n/a"
        case bool():
            return "yes" if value else "no"
        case int() if name.endswith("_bytes"):
            return in_gib(value)
        case int():
            return f"{value:,}"
        case list():
            return ", ".join(map(str, value)) or "none"
        case _:
            return plain(str(value))


def _described(gpu: Gpu) -> str:
    from llmload.plain_text import plain
    from llmload.telemetry.host import in_gib

    parts = [f"{gpu.index}: {gpu.name}"]
    parts += [f"MIG {gpu.mig}"] if gpu.mig else []
    parts += [in_gib(gpu.memory_total_bytes)] if gpu.memory_total_bytes is not None else []
    parts += [f"{gpu.power_limit_w:g} W"] if gpu.power_limit_w is not None else []
    parts += [f"driver {gpu.driver}"] if gpu.driver else []
    return plain(", ".join(parts))
