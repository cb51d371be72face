"""`llmload recommend`: how many GPUs a demand needs, from a search of its own or from a stored run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from llmload.cli import options
from llmload.cli.flags import milliseconds, percent, whole_numbers, written


def recommend(
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Scenario file; flags go over it.")] = None,
    server: Annotated[str | None, typer.Option(help="Base URL of the server, like http://localhost:8000.")] = None,
    model: Annotated[str | None, typer.Option(help="Model name; optional when the server serves exactly one.")] = None,
    peak_concurrency: Annotated[
        int | None, typer.Option(min=1, help="Requests in flight at the busiest time; required unless FILE says it.")
    ] = None,
    ttft_target: Annotated[
        str | None, typer.Option(metavar="MS", help="Bound of TTFT, like 500 or 500ms; 500 unless FILE says it.")
    ] = None,
    tpot_target: Annotated[
        str | None, typer.Option(metavar="MS", help="Bound of TPOT, like 50 or 50ms; 50 unless FILE says it.")
    ] = None,
    goodput_target: Annotated[
        str | None, typer.Option(metavar="PERCENT", help="Share of requests within both, like 95 or 95%; 95.")
    ] = None,
    headroom: Annotated[str | None, typer.Option(metavar="PERCENT", help="Reserve over the peak, like 20; 20.")] = None,
    concurrency_steps: Annotated[
        str | None, typer.Option(help="Loads to begin with; 1,10,50,100,200 unless FILE says them.")
    ] = None,
    num_requests: Annotated[
        int | None, typer.Option(min=1, help="Requests of the first look at each load, 50; undecided loads get more.")
    ] = None,
    daily_active_users: Annotated[int | None, typer.Option(min=1, help="Users a day: checks the peak.")] = None,
    requests_per_user_per_day: Annotated[float | None, typer.Option(help="Requests of one of them a day; 10.")] = None,
    input_tokens: Annotated[int | None, typer.Option(min=1, help="Input tokens of each request; 256.")] = None,
    output_tokens: Annotated[int | None, typer.Option(min=1, help="Output tokens of each request; 512.")] = None,
    gpu: Annotated[str | None, typer.Option(help="Name of the GPU, where llmload cannot see it.")] = None,
    gpu_count: Annotated[int | None, typer.Option(min=1, help="GPUs that were measured, where it cannot see.")] = None,
    usd_per_hour: Annotated[float | None, typer.Option(min=0, help="Price of one GPU for one hour.")] = None,
    price_file: Annotated[Path | None, typer.Option(help="Prices by GPU: YAML, JSON, or CSV.")] = None,
    framework: Annotated[str | None, typer.Option(help="Serving framework; openai = any compatible server.")] = None,
    api_key_env: Annotated[str | None, typer.Option(help="Environment variable that holds the API key.")] = None,
    timeout: Annotated[float | None, typer.Option(help="Seconds one request may take; 600.")] = None,
    name: Annotated[str | None, typer.Option(help="Scenario name, the key of the history; recommend.")] = None,
    from_run: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Answer from a stored run, without any load; flags change its demand."),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write it: .json or .md has the recommendation, .html or .xlsx all."),
    ] = None,
    hpa: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a HorizontalPodAutoscaler of Kubernetes for it.")
    ] = None,
    store: options.Store = options.DEFAULT_STORE,
    out: Annotated[Path | None, typer.Option(help="Directory for reports, in place of spec.reports.dir.")] = None,
    sets: options.Sets = [],  # noqa: B006 - typer copies it
    env_file: options.EnvFile = None,
    resume: Annotated[str | None, typer.Option(metavar="RUN", help="Go on with a run that ended early.")] = None,
    progress: Annotated[bool, typer.Option(help="Show progress while it runs.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the recommendation as JSON and nothing else.")] = False,
    lang: options.Lang = None,
    log_format: options.LogFormat = "text",
    log_level: options.LogLevel = "warning",
) -> None:
    """Say how many GPUs a demand needs: search for the load that the server carries within the SLO, and count from it.

    The run is measured, judged, stored and reported as `llmload apply` does. Of what was measured nothing is guessed:
    where no load surely holds the SLO there is no recommendation, and it says why.

    Exit code: 0 recommended; as `apply` where gates or the measurement say otherwise. Without a recommendation: 3 the
    SLO breaks at the lowest load, 4 the sample does not tell, 5 could not measure; 2 bad input. --from-run judges no
    gates.

    Example: llmload recommend --server http://localhost:8000 --model qwen3-14b --peak-concurrency 500

    Example: llmload recommend scenarios/chat.yaml --peak-concurrency 500 --headroom 30 --output report.xlsx

    Example: llmload recommend --from-run latest --peak-concurrency 2000 --ttft-target 300 --price-file prices.csv
    """
    from llmload.cli.batch import Batch, apply_all
    from llmload.cli.demand import Asked, check_stored, scenario_of
    from llmload.cli.recommended import Wanted, from_stored, tell_recommended

    flags = written(
        ("--peak-concurrency", "spec.recommend.peak_concurrency", peak_concurrency),
        ("--ttft-target", "spec.slo.ttft", milliseconds("--ttft-target", ttft_target)),
        ("--tpot-target", "spec.slo.tpot", milliseconds("--tpot-target", tpot_target)),
        ("--goodput-target", "spec.recommend.goodput_target", percent("--goodput-target", goodput_target)),
        ("--headroom", "spec.recommend.headroom", percent("--headroom", headroom)),
        ("--daily-active-users", "spec.recommend.daily_active_users", daily_active_users),
        ("--requests-per-user-per-day", "spec.recommend.requests_per_user_per_day", requests_per_user_per_day),
        ("--gpu", "spec.recommend.gpu.model", gpu),
        ("--gpu-count", "spec.recommend.gpu.count", gpu_count),
        ("--usd-per-hour", "spec.recommend.gpu.usd_per_hour", usd_per_hour),
        ("--price-file", "spec.recommend.price_file", None if price_file is None else str(price_file)),
        ("--server", "spec.target.url", server),
        ("--model", "spec.target.model", model),
        ("--framework", "spec.target.framework", framework),
        ("--api-key-env", "spec.target.api_key", None if api_key_env is None else {"env": api_key_env}),
        ("--timeout", "spec.target.timeout.total", None if timeout is None else f"{timeout:g}s"),
        ("--concurrency-steps", "spec.load.concurrency", _loads(concurrency_steps)),
        ("--num-requests", "spec.load.requests", num_requests),
        ("--input-tokens", "spec.workload.prompts.synthetic.input_tokens", input_tokens),
        ("--output-tokens", "spec.workload.prompts.synthetic.output_tokens", output_tokens),
        ("--name", "metadata.name", name),
    )
    wanted = Wanted(output, hpa, json, options.language(lang, os.environ))
    wanted.check()
    env = options.environment(env_file)
    asked = Asked(flags, sets, env)
    if from_run is not None:
        check_stored(asked, {"FILE": file, "--set": sets, "--env-file": env_file, "--out": out, "--resume": resume})
        raise typer.Exit(from_stored(from_run, asked, store, wanted))
    batch = Batch(
        store=store,
        out=out,
        resume=resume,
        env=env,
        is_shown=progress and not json,
        is_json=json,
        log_format=log_format,
        log_level=log_level,
        language=wanted.language,
    )
    load = scenario_of(file, asked)
    raise typer.Exit(apply_all([load], batch, lambda done, batch: tell_recommended(done, batch, wanted)))


def _loads(text: str | None) -> list[int] | None:
    return None if text is None else list(whole_numbers("--concurrency-steps", text))
