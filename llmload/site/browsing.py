"""What Datasette's own pages say of a store: names, units and descriptions, and questions with human names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HIDDEN = (
    "requests",
    "request_kinds",
    "request_texts",
    "request_sessions",
    "request_gaps",
    "sample_series",
    "samples",
    "windows",
    "estimates",
    "results",
    "recommendations",
    "profiles",
    "analyses",
    "baselines",
    "progress",
    "run_labels",
    "_sqlite_migrations",
)
"""Tables that are long, packed, or of use to llmload only; they are left out of the list of tables."""

_LATENCY = {
    "TTFT p50 (ms)": "Median time to first token, in milliseconds",
    "TTFT p99 (ms)": "99th percentile of the time to first token, in milliseconds",
    "TPOT p50 (ms)": "Median time per output token after the first, in milliseconds",
    "TPOT p99 (ms)": "99th percentile of the time per output token, in milliseconds",
}

_SHARES = {
    "goodput (%)": "Share of attempts that met the whole SLO, in percent",
    "errors (%)": "Share of attempts that failed, in percent",
    "output (tok/s)": "Output tokens per second of the measured window",
}

_VIEWS: Mapping[str, Mapping[str, object]] = {
    "run_list": {
        "title": "Runs",
        "description": "One row for each run, newest first. Its figures are those of its headline step.",
        "facets": ["scenario", "model", "framework", "verdict"],
        "columns": {
            "run": "Id of the run; leads to its page",
            "created": "When it began, in UTC",
            "verdict": "pass, fail, inconclusive, incomparable or error",
            "step": "The step whose figures follow: the last gated one, else the capacity found, else the last",
            **_SHARES,
            **_LATENCY,
        },
    },
    "step_list": {
        "title": "Steps",
        "description": "One row for each step of each run: one load level with its measured figures.",
        "facets": ["scenario", "model", "step"],
        "columns": {
            "run": "Id of the run; leads to its page",
            "step": "The load: how many at once, or how many a second",
            "requests": "Measured attempts",
            "dropped": "Requests that were due and could not be sent",
            "requests/s": "Completed requests per second of the measured window",
            "window (s)": "Length of the measured window, in seconds",
            "TTFT since due p50 (ms)": "Median time to first token since the request was due, in milliseconds",
            "E2E p50 (ms)": "Median time from the request to the last text, in milliseconds",
            "E2E p99 (ms)": "99th percentile of the time to the last text, in milliseconds",
            **_SHARES,
            **_LATENCY,
        },
    },
    "gate_list": {
        "title": "Gates",
        "description": "One row for each gate of each run: what was promised, what was observed, and what to do.",
        "facets": ["scenario", "model", "verdict", "gate"],
        "columns": {
            "run": "Id of the run; leads to its page",
            "observed": "The figure, in the unit of the gate",
            "low": "Lower end of its interval",
            "high": "Upper end of its interval",
            "requests": "How many requests the figure is made of",
        },
    },
    "profile_list": {
        "title": "Profiles",
        "description": "One row for each run that looked for a capacity, newest first: what its GPUs carry.",
        "facets": ["model", "gpu", "framework"],
        "columns": {
            "run": "Id of the run; leads to its page",
            "gpu": "Model of the GPUs that were measured; empty where nobody told",
            "GPUs": "How many of them were measured as one address",
            "max concurrency at SLO": "The most requests in flight that surely hold the SLO; empty where none do",
            "goodput (%)": "Share of attempts at that load that met the whole SLO, in percent",
            "output (tok/s)": "Output tokens per second at that load",
            "SLO breaks at concurrency": "The lowest load above it that surely breaks the SLO",
        },
    },
    "request_list": {
        "title": "Requests",
        "description": "One row for each request, in the order of start. Choose a run first: there may be millions.",
        "columns": {
            "run": "Id of the run; leads to its page",
            "due (ms)": "When it was due, in milliseconds after the window's start; so are the other instants",
            "largest gap (ms)": "Longest time between two events of the stream, in milliseconds",
            "cached tokens": "Input tokens that the server says it had in its cache; empty where it does not tell",
            "class": "Class of a mixture that the request was of; empty where the traffic has none",
            "session": "Conversation of its window that the request was of, from 0; empty where there were none",
            "turn": "Its place in that conversation, from 1",
            "prefix group": "Group of requests that begin with the same text, from 0",
        },
    },
    "gpu_list": {
        "title": "GPUs",
        "description": "One row for each GPU at each step of each run: its figures within the measured windows.",
        "columns": {
            "run": "Id of the run; leads to its page",
            "device": "UUID of the GPU, or its key where it tells none",
            "utilisation (%)": "Mean share of the time in which the GPU was busy, in percent",
            "peak memory (GiB)": "The most memory in use at one time",
            "peak temperature (°C)": "The hottest that it was",
            "power (W)": "Mean power drawn",
        },
    },
    "sample_list": {
        "title": "Samples",
        "description": "What was read of GPUs and of the server beside the load. Choose a run first: there may be"
        " millions.",
        "columns": {
            "run": "Id of the run; leads to its page",
            "source": "gpu: the driver or an exporter; metrics: the server's Prometheus page; log: its log",
            "figure": "What was read; its unit is in its name, and shares and utilisation are 0 to 1",
            "device": "Key of the GPU; empty for the server as a whole",
            "at (s)": "Seconds after the window's start; below 0: before it, since the window before",
        },
    },
}

_QUERIES: Sequence[tuple[str, str, str, str]] = (
    (
        "newest-runs",
        "Newest runs",
        "The last hundred runs with their verdicts.",
        'SELECT run, created, scenario, model, framework, verdict, "goodput (%)", because FROM run_list LIMIT 100',
    ),
    (
        "gates-not-kept",
        "Gates that were not kept",
        "Every gate that did not pass, newest first, with its reason and its remedy.",
        "SELECT run, scenario, step, gate, verdict, because, remedy FROM gate_list WHERE verdict <> 'pass'"
        " ORDER BY run DESC LIMIT 500",
    ),
    (
        "steps-of-a-run",
        "Steps of a run",
        "The figures of each load level; run is the id of a run.",
        "SELECT * FROM step_list WHERE run = :run",
    ),
    (
        "history-of-a-scenario",
        "History of a scenario",
        "How the headline figures went; scenario is its name.",
        'SELECT created, run, model, verdict, step, "goodput (%)", "output (tok/s)", "TTFT p99 (ms)", "TPOT p99 (ms)"'
        " FROM run_list WHERE scenario = :scenario ORDER BY created LIMIT 1000",
    ),
    (
        "outcomes-of-a-run",
        "Outcomes of a run",
        "How many requests of each step ended how; run is the id of a run.",
        "SELECT step, phase, outcome, error_type, http_status, count(*) AS requests FROM request_list"
        " WHERE run = :run GROUP BY 1, 2, 3, 4, 5 ORDER BY requests DESC",
    ),
    (
        "slowest-requests-of-a-run",
        "Slowest first tokens of a run",
        "The hundred requests that waited longest for their first token; run is the id of a run.",
        'SELECT step, look, seq, outcome, "first (ms)" - "sent (ms)" AS "TTFT (ms)", "input tokens", "output tokens"'
        ' FROM request_list WHERE run = :run AND "first (ms)" IS NOT NULL'
        ' ORDER BY "first (ms)" - "sent (ms)" DESC LIMIT 100',
    ),
    (
        "gpus-of-a-run",
        "GPUs of a run",
        "Utilisation, memory, temperature and power of each GPU at each step; run is the id of a run.",
        "SELECT * FROM gpu_list WHERE run = :run",
    ),
)


def described(database: str) -> dict[str, object]:
    """Metadata in Datasette's form for the database of this name; new each time, since Datasette writes into it."""
    tables: dict[str, object] = {name: {"hidden": True} for name in HIDDEN}
    for name, told in _VIEWS.items():
        tables[name] = {key: _copied(value) for key, value in told.items()}
    queries = {
        name: {"title": title, "description": description, "sql": sql} for name, title, description, sql in _QUERIES
    }
    return {"databases": {database: {"tables": tables, "queries": queries}}}


def _copied(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, list) else value
