"""`llmload run`: the same as apply without a file, for people who come from llm-loadtest and llm-benchmark."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from os.path import relpath
from pathlib import Path
from typing import Annotated

import typer

from llmload.cli import options
from llmload.cli.flags import DEFAULT_LADDER, check_writable, whole_numbers
from llmload.errors import UsageError

DEFAULT_REQUESTS = 200


def run(
    server: Annotated[str, typer.Option(help="Base URL of the server, like http://localhost:8000.")],
    model: Annotated[str | None, typer.Option(help="Model name; optional when the server serves exactly one.")] = None,
    concurrency: Annotated[
        str | None, typer.Option(help="Steps of requests in flight; 1,10,50,100,200 unless --rate or --trace.")
    ] = None,
    rate: Annotated[str | None, typer.Option(help="Steps of requests per second, like 2,8: open loop.")] = None,
    arrival: Annotated[
        str | None, typer.Option(help="How a rate arrives: poisson, constant, or gamma:0.5 with its burstiness.")
    ] = None,
    trace: Annotated[Path | None, typer.Option(help="Replay this trace, in Mooncake's or Azure's format.")] = None,
    workers: Annotated[int | None, typer.Option(help="Worker processes; as many as are needed unless given.")] = None,
    num_prompts: Annotated[
        int | None,
        typer.Option("--num-prompts", "--num-requests", help="Requests per step; 200, or all of a trace."),
    ] = None,
    input_len: Annotated[int, typer.Option(help="Input tokens of each request.")] = 256,
    output_len: Annotated[int, typer.Option(help="Output tokens of each request.")] = 512,
    stream: Annotated[bool, typer.Option(help="Stream the answers; without, TTFT and TPOT cannot be had.")] = True,
    adapter: Annotated[str | None, typer.Option(help="Older name of --framework: openai or triton.")] = None,
    framework: Annotated[str | None, typer.Option(help="Serving framework; openai = any compatible server.")] = None,
    goodput: Annotated[str | None, typer.Option(help="SLO in milliseconds, like ttft:500,tpot:50,e2e:30000.")] = None,
    warmup: Annotated[int | None, typer.Option(help="Warm-up requests per step.")] = None,
    timeout: Annotated[float, typer.Option(help="Seconds one request may take.")] = 600.0,
    api_key_env: Annotated[str | None, typer.Option(help="Environment variable that holds the API key.")] = None,
    name: Annotated[str, typer.Option(help="Scenario name, the key of the history.")] = "run",
    save: Annotated[Path | None, typer.Option(help="Write the scenario that was run to this file.")] = None,
    output: Annotated[Path | None, typer.Option(help="Write the result document to this file.")] = None,
    store: options.Store = options.DEFAULT_STORE,
    out: Annotated[Path | None, typer.Option(help="Directory for reports.")] = None,
    sets: options.Sets = [],  # noqa: B006 - typer copies it
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run that ended early.")] = None,
    baseline: options.Baseline = None,
    progress: Annotated[bool, typer.Option(help="Show progress while it runs.")] = True,
    json: options.Json = False,
    lang: options.Lang = None,
    log_format: options.LogFormat = "text",
    log_level: options.LogLevel = "warning",
) -> None:
    """Measure a server from flags alone; --save writes the scenario file that says the same.

    Example: llmload run --server http://localhost:8000 --concurrency 1,10,50 --num-prompts 200 --goodput ttft:500

    Example: llmload run --server http://localhost:8000 --rate 2,8 --arrival poisson
    """
    import yaml

    from llmload.cli.batch import Batch, apply_all
    from llmload.domain import COMMAND_LINE
    from llmload.scenario.conversion import overridden
    from llmload.scenario.loader import load_text

    check_writable("--output", output)
    language = options.language(lang, os.environ)
    target: dict[str, object] = {"url": server, "framework": _framework(framework, adapter)}
    target["timeout"] = {"total": f"{timeout:g}s"}
    if model is not None:
        target["model"] = model
    if api_key_env is not None:
        target["api_key"] = {"env": api_key_env}
    directory = save.parent if save is not None else Path()  # where files that the scenario names lie
    load = _shape(concurrency, rate, arrival, Path(relpath(trace, directory)) if trace is not None else None)
    if num_prompts is not None or trace is None:
        load["requests"] = DEFAULT_REQUESTS if num_prompts is None else num_prompts
    if warmup is not None:
        load["warmup"] = {"requests": warmup}
    if workers is not None:
        load["workers"] = workers
    spec: dict[str, object] = {
        "target": target,
        "workload": {
            "prompts": {"synthetic": {"input_tokens": input_len, "output_tokens": output_len}},
            "stream": stream,
        },
        "load": load,
    }
    if goodput is not None:
        spec["slo"] = _slo(goodput)
    document = {"apiVersion": "llmload/v1", "kind": "Scenario", "metadata": {"name": name}, "spec": spec}
    text = overridden(yaml.safe_dump(document, sort_keys=False), COMMAND_LINE, sets)
    env = dict(os.environ)
    load_it = partial(load_text, text, COMMAND_LINE, env=env, directory=directory)
    if save is not None:
        load_it()
        _save(save, text)
    batch = Batch(store, out, resume, env, progress and not json, json, log_format, log_level, output)
    raise typer.Exit(apply_all([load_it], replace(batch, baseline=baseline, language=language)))


def _save(path: Path, text: str) -> None:
    """Never over another scenario; one that says the same already is as good as written."""
    try:
        if path.exists() and path.read_text(encoding="utf-8", errors="replace") == text:
            return
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError("--save", f"{path} cannot be written ({error.strerror})", "Name a new file") from None


def _framework(framework: str | None, adapter: str | None) -> str:
    """The framework of both its names; they may not contradict each other."""
    if adapter not in (None, "openai", "triton"):
        raise UsageError("--adapter", f"{adapter!r} is none of openai, triton", "Write --framework for the others")
    if framework is not None and adapter == "triton" and framework != "triton":
        raise UsageError("--adapter", f"triton contradicts --framework {framework}", "Leave --adapter out")
    return framework or adapter or "openai"


def _shape(concurrency: str | None, rate: str | None, arrival: str | None, trace: Path | None) -> dict[str, object]:
    """How requests arrive: one of three ways, closed loop unless another is named."""
    named = {"--concurrency": concurrency, "--rate": rate, "--trace": trace}
    written = [option for option, value in named.items() if value is not None]
    if len(written) > 1:
        raise UsageError(written[1], f"excludes {written[0]}", "Keep one of --concurrency, --rate and --trace")
    if arrival is not None and rate is None:
        raise UsageError("--arrival", "says how a rate arrives, and there is no --rate", "Add --rate 2,8")
    if trace is not None:
        return {"trace": {"file": str(trace)}}
    if rate is None:
        return {"concurrency": whole_numbers("--concurrency", concurrency or DEFAULT_LADDER)}
    steps = [step if "/" in step else f"{step.strip()}/s" for step in rate.split(",")]
    return {"rate": steps, **({} if arrival is None else {"arrival": _arrival(arrival)})}


def _arrival(text: str) -> object:
    """`poisson`, `constant` or `gamma:0.5`; the scenario's own rules judge the first two."""
    name, colon, burstiness = text.partition(":")
    if not colon:
        return text
    try:
        return {name: {"burstiness": float(burstiness)}}
    except ValueError:
        raise UsageError("--arrival", f"{burstiness!r} is not a number", "Write it like gamma:0.5") from None


def _slo(text: str) -> Mapping[str, str]:
    """The SLO block of "ttft:500,tpot:50": bare numbers are milliseconds, as the earlier tools had them."""
    terms: dict[str, str] = {}
    for part in text.split(","):
        metric, colon, limit = part.strip().partition(":")
        if not colon or metric not in ("ttft", "tpot", "e2e") or not limit.replace(".", "", 1).isdigit():
            raise UsageError("--goodput", f"{part!r} is not a bound in ms", "Write it like ttft:500,tpot:50,e2e:30000")
        if metric in terms:
            raise UsageError("--goodput", f"{metric} stands there twice", "Write each bound once")
        terms[metric] = f"{limit}ms"
    return terms
