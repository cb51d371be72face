"""The scripts of the first migration (store/migrations.py): runs, their steps, windows and requests, what they came to,
and views for people who browse.
"""

from __future__ import annotations

RUNS = """
CREATE TABLE runs (
    run INTEGER PRIMARY KEY,          -- short key for the other tables; run_id is the name to use outside
    run_id TEXT NOT NULL UNIQUE,
    scenario TEXT NOT NULL,
    created TEXT NOT NULL,            -- UTC, ISO 8601
    finished TEXT,
    status TEXT NOT NULL CHECK (status IN ('running', 'finished', 'failed', 'interrupted', 'aborted')),
    verdict TEXT,
    exit_code INTEGER,
    because TEXT,
    target_url TEXT,                  -- scrubbed of secrets
    framework TEXT,
    framework_version TEXT,
    framework_config TEXT,            -- JSON
    api TEXT,
    model TEXT,
    max_model_len INTEGER,
    token_fit TEXT,                   -- JSON of TokenFit
    declared TEXT,                    -- JSON, names of the settings that the author wrote
    left_out TEXT,                    -- JSON, sampling fields that the server refused
    labels TEXT NOT NULL,             -- JSON
    environment TEXT NOT NULL,        -- JSON
    gpu TEXT GENERATED ALWAYS AS (json_extract(environment, '$.gpu')) VIRTUAL,
    gpu_count TEXT GENERATED ALWAYS AS (json_extract(environment, '$.gpu_count')) VIRTUAL,
    git_commit TEXT GENERATED ALWAYS AS (json_extract(environment, '$.git_commit')) VIRTUAL,
    fingerprint TEXT,                 -- JSON
    llmload_version TEXT NOT NULL,
    source TEXT NOT NULL,
    document_text TEXT NOT NULL,
    document_hash TEXT NOT NULL,
    resolved TEXT NOT NULL,           -- canonical JSON of the scenario
    headline_step TEXT,               -- the step whose figures follow: the last gated one, else the last
    goodput REAL, goodput_low REAL, goodput_high REAL, error_rate REAL, output_tps REAL, rps REAL, attempts INTEGER,
    ttft_p50_ms REAL, ttft_p99_ms REAL, tpot_p50_ms REAL, tpot_p99_ms REAL, e2e_p50_ms REAL, e2e_p99_ms REAL
) STRICT;
CREATE INDEX runs_status ON runs (status);
CREATE INDEX runs_created ON runs (created);
CREATE INDEX runs_model ON runs (model);
CREATE INDEX runs_scenario ON runs (scenario, created);

CREATE TABLE progress (               -- one row per active run, and the process that owns it
    run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    place TEXT NOT NULL, pid INTEGER NOT NULL, process_started TEXT NOT NULL,
    seen_s REAL NOT NULL,             -- last sign of life, Unix time
    step TEXT, phase TEXT, done INTEGER, planned INTEGER, in_flight INTEGER, output_events_per_s REAL,
    ttft_p50_ms REAL, ttft_p95_ms REAL, goodput REAL, elapsed_s REAL
) STRICT
"""

STEPS = """
CREATE TABLE steps (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    step INTEGER NOT NULL,            -- place in the ladder, from 0
    axis TEXT NOT NULL, value REAL NOT NULL, label TEXT NOT NULL,
    window_s REAL, attempts INTEGER, ok INTEGER, good INTEGER, cancelled INTEGER,
    goodput REAL, goodput_low REAL, goodput_high REAL, goodput_rps REAL, error_rate REAL,
    rps REAL, output_tps REAL, total_tps REAL,
    input_tokens INTEGER, output_tokens INTEGER, cached_tokens INTEGER, failed_output_tokens INTEGER,
    shared_reads REAL,
    latency TEXT,                     -- JSON: metric -> LatencySummary
    histograms TEXT, errors TEXT, token_sources TEXT,  -- JSON
    PRIMARY KEY (run, step)
) STRICT, WITHOUT ROWID;

CREATE TABLE windows (                -- one look at a step
    window INTEGER PRIMARY KEY,
    run INTEGER NOT NULL, step INTEGER NOT NULL, look INTEGER NOT NULL,
    requests INTEGER NOT NULL,        -- measured requests asked for
    start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,  -- machine-wide monotonic clock
    ending TEXT NOT NULL,
    heartbeats BLOB NOT NULL,         -- packed lateness in ns (store/packing.py)
    caveats TEXT NOT NULL,            -- JSON
    UNIQUE (run, step, look),
    FOREIGN KEY (run, step) REFERENCES steps ON DELETE CASCADE
) STRICT;

CREATE TABLE request_kinds (          -- what many requests of a window have in common, told once
    window INTEGER NOT NULL REFERENCES windows ON DELETE CASCADE,
    kind INTEGER NOT NULL,
    phase TEXT NOT NULL, outcome TEXT NOT NULL, error_type TEXT, http_status INTEGER, finish_reason TEXT,
    token_source TEXT, is_streamed INTEGER NOT NULL, retried INTEGER NOT NULL,
    PRIMARY KEY (window, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (               -- each instant follows from the one before it; NULL = did not happen
    window INTEGER NOT NULL REFERENCES windows ON DELETE CASCADE,
    seq INTEGER NOT NULL,             -- order of start within the step
    kind INTEGER NOT NULL,
    due_us INTEGER NOT NULL,          -- after the window's start
    lag_us INTEGER,                   -- sent - due
    wait_us INTEGER,                  -- first event - sent
    span_us INTEGER,                  -- last event - first event
    tail_us INTEGER NOT NULL,         -- done - the last instant known before it
    gap_us INTEGER,                   -- largest gap between events
    tokens_in INTEGER, tokens_out INTEGER, tokens_cached INTEGER,
    PRIMARY KEY (window, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE request_texts (          -- only for requests that have some
    window INTEGER NOT NULL REFERENCES windows ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    error_text TEXT, answer TEXT,
    PRIMARY KEY (window, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE request_gaps (           -- for a run of requests that begins at first_seq, packed (store/series.py)
    window INTEGER NOT NULL REFERENCES windows ON DELETE CASCADE,
    first_seq INTEGER NOT NULL,
    details BLOB NOT NULL,            -- number of events and reads, connect time, lengths asked for, first answer
    gaps_us BLOB NOT NULL,            -- gaps between events, request after request
    PRIMARY KEY (window, first_seq)
) STRICT
"""

RESULTS = """
CREATE TABLE verdicts (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    place INTEGER NOT NULL,           -- order in the report
    step TEXT NOT NULL, gate TEXT NOT NULL, gate_id TEXT NOT NULL, level TEXT NOT NULL,
    status TEXT NOT NULL, because TEXT NOT NULL, remedy TEXT NOT NULL, kind TEXT NOT NULL,
    observed REAL, target REAL, low REAL, high REAL, n INTEGER, deff REAL, effective_n REAL,
    confidence REAL, looks INTEGER, line INTEGER,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE findings (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    place INTEGER NOT NULL,
    subject TEXT NOT NULL, expected TEXT NOT NULL, actual TEXT NOT NULL, cause TEXT NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID;

CREATE TABLE caveats (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    place INTEGER NOT NULL,
    step TEXT,                        -- NULL = of the run as a whole
    rule TEXT NOT NULL, figure TEXT NOT NULL, remedy TEXT NOT NULL, is_fatal INTEGER NOT NULL, kind TEXT NOT NULL,
    PRIMARY KEY (run, place)
) STRICT, WITHOUT ROWID
"""

VIEWS = """
CREATE VIEW run_list AS
SELECT run_id AS "run", scenario, created, status, verdict, framework, framework_version AS "framework version", model,
       gpu, headline_step AS "step", goodput * 100 AS "goodput (%)", error_rate * 100 AS "errors (%)",
       output_tps AS "output (tok/s)", ttft_p50_ms AS "TTFT p50 (ms)", ttft_p99_ms AS "TTFT p99 (ms)",
       tpot_p50_ms AS "TPOT p50 (ms)", tpot_p99_ms AS "TPOT p99 (ms)", because
FROM runs ORDER BY created DESC, run_id DESC;

CREATE VIEW step_list AS
SELECT run_id AS "run", scenario, model, steps.label AS "step", steps.attempts AS "requests", steps.ok,
       steps.goodput * 100 AS "goodput (%)", steps.goodput_low * 100 AS "goodput low (%)",
       steps.goodput_high * 100 AS "goodput high (%)", steps.error_rate * 100 AS "errors (%)",
       steps.rps AS "requests/s", steps.output_tps AS "output (tok/s)",
       json_extract(latency, '$.ttft.p50_ms') AS "TTFT p50 (ms)",
       json_extract(latency, '$.ttft.p99_ms') AS "TTFT p99 (ms)",
       json_extract(latency, '$.tpot.p50_ms') AS "TPOT p50 (ms)",
       json_extract(latency, '$.tpot.p99_ms') AS "TPOT p99 (ms)",
       json_extract(latency, '$.e2e.p50_ms') AS "E2E p50 (ms)",
       json_extract(latency, '$.e2e.p99_ms') AS "E2E p99 (ms)",
       window_s AS "window (s)"
FROM steps JOIN runs USING (run);

CREATE VIEW gate_list AS
SELECT run_id AS "run", scenario, model, step, gate, level, verdicts.status AS "verdict", verdicts.because, remedy,
       observed, target, low, high, n AS "requests", deff AS "design effect", effective_n AS "effective requests"
FROM verdicts JOIN runs USING (run);

CREATE VIEW request_list AS
SELECT run_id AS "run", steps.label AS "step", look, seq, phase, outcome, error_type, http_status,
       due_us / 1e3 AS "due (ms)",
       (due_us + lag_us) / 1e3 AS "sent (ms)",
       (due_us + coalesce(lag_us, 0) + wait_us) / 1e3 AS "first (ms)",
       (due_us + coalesce(lag_us, 0) + wait_us + span_us) / 1e3 AS "last (ms)",
       (due_us + coalesce(lag_us, 0) + coalesce(wait_us, 0) + coalesce(span_us, 0) + tail_us) / 1e3 AS "done (ms)",
       gap_us / 1e3 AS "largest gap (ms)",
       tokens_in AS "input tokens", tokens_out AS "output tokens", token_source
FROM requests JOIN request_kinds USING (window, kind) JOIN windows USING (window) JOIN steps USING (run, step)
     JOIN runs USING (run)
"""
