"""The tables, one migration per released change. A migration that was released is never edited: add another.

Units are in the column names: `_us` whole microseconds, `_ms` milliseconds, shares 0..1, rates per second.
"""

from __future__ import annotations

from llmload.store.first_tables import RESULTS, RUNS, STEPS, VIEWS

_OPEN_LOOP = """
ALTER TABLE windows ADD COLUMN planned INTEGER;  -- measured requests that were due inside it; NULL in closed loop
ALTER TABLE windows ADD COLUMN workers TEXT NOT NULL DEFAULT '[]';  -- JSON of WorkerFacts
ALTER TABLE windows ADD COLUMN workers_because TEXT NOT NULL DEFAULT '';
ALTER TABLE steps ADD COLUMN dropped INTEGER;
ALTER TABLE steps ADD COLUMN planned INTEGER;

DROP VIEW step_list;
CREATE VIEW step_list AS
SELECT run_id AS "run", scenario, model, steps.label AS "step", steps.attempts AS "requests", steps.ok, dropped,
       steps.goodput * 100 AS "goodput (%)", steps.goodput_low * 100 AS "goodput low (%)",
       steps.goodput_high * 100 AS "goodput high (%)", steps.error_rate * 100 AS "errors (%)",
       steps.rps AS "requests/s", steps.output_tps AS "output (tok/s)",
       json_extract(latency, '$.ttft.p50_ms') AS "TTFT p50 (ms)",
       json_extract(latency, '$.ttft.p99_ms') AS "TTFT p99 (ms)",
       json_extract(latency, '$.ttft_due.p50_ms') AS "TTFT since due p50 (ms)",
       json_extract(latency, '$.ttft_due.p99_ms') AS "TTFT since due p99 (ms)",
       json_extract(latency, '$.tpot.p50_ms') AS "TPOT p50 (ms)",
       json_extract(latency, '$.tpot.p99_ms') AS "TPOT p99 (ms)",
       json_extract(latency, '$.e2e.p50_ms') AS "E2E p50 (ms)",
       json_extract(latency, '$.e2e.p99_ms') AS "E2E p99 (ms)",
       window_s AS "window (s)"
FROM steps JOIN runs USING (run)
"""

_ONE_KEY = """
ALTER TABLE windows ADD COLUMN first_id INTEGER NOT NULL DEFAULT 1;  -- what a request of seq 0 has as id
ALTER TABLE windows ADD COLUMN last_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE request_kinds ADD COLUMN tokens_in INTEGER;  -- the usual counts of its requests
ALTER TABLE request_kinds ADD COLUMN tokens_out INTEGER;
ALTER TABLE request_kinds ADD COLUMN tokens_cached INTEGER;

WITH sizes AS (SELECT window, max(seq) + 1 AS size FROM requests GROUP BY window),
     places AS (SELECT window, size, 1 + sum(size) OVER (ORDER BY window) - size AS first FROM sizes)
UPDATE windows SET first_id = first, last_id = first + size - 1 FROM places WHERE places.window = windows.window;

DROP VIEW request_list;
ALTER TABLE requests RENAME TO requests_by_window;
CREATE TABLE requests (               -- each instant follows from the one before it; NULL = did not happen
    id INTEGER PRIMARY KEY,           -- from first_id to last_id of its window: first_id + seq, the order of start
    kind INTEGER NOT NULL,
    due_us INTEGER NOT NULL,          -- after the window's start
    lag_us INTEGER,                   -- sent - due
    wait_us INTEGER,                  -- first event - sent
    span_us INTEGER,                  -- last event - first event
    tail_us INTEGER NOT NULL,         -- done - the last instant known before it
    gap_us INTEGER,                   -- largest gap between events
    tokens_in INTEGER, tokens_out INTEGER, tokens_cached INTEGER  -- NULL = those of its kind
) STRICT;
INSERT INTO requests
SELECT first_id + seq, kind, due_us, lag_us, wait_us, span_us, tail_us, gap_us, tokens_in, tokens_out, tokens_cached
FROM requests_by_window JOIN windows USING (window) ORDER BY window, seq;
DROP TABLE requests_by_window;

CREATE TRIGGER requests_of_a_window AFTER DELETE ON windows BEGIN
    DELETE FROM requests WHERE id BETWEEN OLD.first_id AND OLD.last_id;
END;

CREATE VIEW request_list AS
SELECT run_id AS "run", steps.label AS "step", look, requests.id - first_id AS "seq", phase, outcome, error_type,
       http_status,
       due_us / 1e3 AS "due (ms)",
       (due_us + lag_us) / 1e3 AS "sent (ms)",
       (due_us + coalesce(lag_us, 0) + wait_us) / 1e3 AS "first (ms)",
       (due_us + coalesce(lag_us, 0) + wait_us + span_us) / 1e3 AS "last (ms)",
       (due_us + coalesce(lag_us, 0) + coalesce(wait_us, 0) + coalesce(span_us, 0) + tail_us) / 1e3 AS "done (ms)",
       gap_us / 1e3 AS "largest gap (ms)",
       coalesce(requests.tokens_in, request_kinds.tokens_in) AS "input tokens",
       coalesce(requests.tokens_out, request_kinds.tokens_out) AS "output tokens", token_source
FROM runs JOIN steps USING (run) JOIN windows USING (run, step)
     JOIN requests ON requests.id BETWEEN first_id AND last_id
     JOIN request_kinds ON request_kinds.window = windows.window AND request_kinds.kind = requests.kind
"""

_VERIFICATION = """
ALTER TABLE runs ADD COLUMN framework_actual TEXT NOT NULL DEFAULT '{}';  -- JSON, settings as the server told them
"""

_IMPORTED = """
DROP VIEW run_list;
DROP VIEW step_list;
DROP INDEX runs_status;
ALTER TABLE runs RENAME COLUMN status TO former_status;  -- a CHECK goes only with its column
ALTER TABLE runs ADD COLUMN status TEXT NOT NULL DEFAULT 'running'
    CHECK (status IN ('running', 'finished', 'failed', 'interrupted', 'aborted', 'imported'));
UPDATE runs SET status = former_status;
ALTER TABLE runs DROP COLUMN former_status;
CREATE INDEX runs_status ON runs (status);

CREATE VIEW run_list AS
SELECT run_id AS "run", scenario, created, status, verdict, framework, framework_version AS "framework version", model,
       gpu, headline_step AS "step", goodput * 100 AS "goodput (%)", error_rate * 100 AS "errors (%)",
       output_tps AS "output (tok/s)", ttft_p50_ms AS "TTFT p50 (ms)", ttft_p99_ms AS "TTFT p99 (ms)",
       tpot_p50_ms AS "TPOT p50 (ms)", tpot_p99_ms AS "TPOT p99 (ms)", because
FROM runs ORDER BY created DESC, run_id DESC;

CREATE VIEW step_list AS
SELECT run_id AS "run", scenario, status, model, steps.label AS "step", steps.attempts AS "requests", steps.ok, dropped,
       steps.goodput * 100 AS "goodput (%)", steps.goodput_low * 100 AS "goodput low (%)",
       steps.goodput_high * 100 AS "goodput high (%)", steps.error_rate * 100 AS "errors (%)",
       steps.rps AS "requests/s", steps.output_tps AS "output (tok/s)",
       json_extract(latency, '$.ttft.p50_ms') AS "TTFT p50 (ms)",
       json_extract(latency, '$.ttft.p99_ms') AS "TTFT p99 (ms)",
       json_extract(latency, '$.ttft_due.p50_ms') AS "TTFT since due p50 (ms)",
       json_extract(latency, '$.ttft_due.p99_ms') AS "TTFT since due p99 (ms)",
       json_extract(latency, '$.tpot.p50_ms') AS "TPOT p50 (ms)",
       json_extract(latency, '$.tpot.p99_ms') AS "TPOT p99 (ms)",
       json_extract(latency, '$.e2e.p50_ms') AS "E2E p50 (ms)",
       json_extract(latency, '$.e2e.p99_ms') AS "E2E p99 (ms)",
       window_s AS "window (s)"
FROM steps JOIN runs USING (run)
"""

_COMPARISON = """
ALTER TABLE windows ADD COLUMN repeat INTEGER NOT NULL DEFAULT 0;  -- which climb of the ladder, from 0

CREATE TABLE estimates (              -- what other runs are compared by, in the unit of the figure
    run INTEGER NOT NULL, step INTEGER NOT NULL,
    repeat INTEGER NOT NULL,          -- -1 = over all climbs of the ladder
    name TEXT NOT NULL,               -- such as p95(ttft)
    value REAL NOT NULL,
    log_error REAL,                   -- standard error of ln(value) within the run
    PRIMARY KEY (run, step, repeat, name),
    FOREIGN KEY (run, step) REFERENCES steps ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE baselines (              -- what the relative gates of a run were judged against
    run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    source TEXT NOT NULL,
    document TEXT NOT NULL            -- JSON
) STRICT;
"""

_SITE = """
CREATE TABLE results (                -- what a run came to, as it was judged when it ended (store/kept_results.py)
    run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    document BLOB NOT NULL
) STRICT;

CREATE TABLE recommendations (
    run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    document TEXT NOT NULL            -- JSON
) STRICT;

CREATE TABLE run_labels (             -- those of runs.labels, to be found by
    name TEXT NOT NULL, value TEXT NOT NULL,
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    PRIMARY KEY (name, value, run)
) STRICT, WITHOUT ROWID;
CREATE INDEX run_labels_run ON run_labels (run);
INSERT INTO run_labels SELECT key, CAST(value AS TEXT), run FROM runs, json_each(runs.labels);
CREATE TRIGGER labels_of_a_run AFTER INSERT ON runs BEGIN
    INSERT INTO run_labels SELECT key, CAST(value AS TEXT), NEW.run FROM json_each(NEW.labels);
END;

DROP INDEX runs_created;
DROP INDEX runs_model;
DROP INDEX runs_scenario;
CREATE INDEX runs_created ON runs (created, run_id);
CREATE INDEX runs_scenario ON runs (scenario, created, run_id);
CREATE INDEX runs_model ON runs (model, created, run_id);
CREATE INDEX runs_framework ON runs (framework, created, run_id);
CREATE INDEX runs_verdict ON runs (verdict, created, run_id);
"""

_TELEMETRY = """
ALTER TABLE windows ADD COLUMN gpus TEXT NOT NULL DEFAULT '[]';  -- JSON of Gpu, those that were watched
ALTER TABLE windows ADD COLUMN server_work TEXT;  -- JSON of ServerWork; NULL = the server told nothing of it
ALTER TABLE windows ADD COLUMN notes TEXT NOT NULL DEFAULT '[]';  -- JSON, what could not be read, in sentences
ALTER TABLE progress ADD COLUMN gpus TEXT NOT NULL DEFAULT '[]';  -- JSON of GpuNow
ALTER TABLE findings ADD COLUMN step TEXT NOT NULL DEFAULT '';
ALTER TABLE findings ADD COLUMN kind TEXT NOT NULL DEFAULT '';

CREATE TABLE sample_series (          -- a figure that was read again and again beside the load
    window INTEGER NOT NULL REFERENCES windows ON DELETE CASCADE,
    series INTEGER NOT NULL,
    source TEXT NOT NULL, name TEXT NOT NULL,
    device TEXT NOT NULL,             -- key of a GPU, '' = the server as a whole
    PRIMARY KEY (window, series)
) STRICT, WITHOUT ROWID;

CREATE TABLE samples (                -- in the unit of the figure's name, shares 0..1
    window INTEGER NOT NULL, series INTEGER NOT NULL,
    at_us INTEGER NOT NULL,           -- after the window's start; negative = since the window before it
    nth INTEGER NOT NULL,             -- 0; more only where several came at one instant
    value REAL NOT NULL,
    PRIMARY KEY (window, series, at_us, nth),
    FOREIGN KEY (window, series) REFERENCES sample_series ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE VIEW sample_list AS
SELECT run_id AS "run", steps.label AS "step", look, sample_series.source, sample_series.name AS "figure", device,
       at_us / 1e6 AS "at (s)", samples.value
FROM runs JOIN steps USING (run) JOIN windows USING (run, step) JOIN sample_series USING (window)
     JOIN samples USING (window, series);

CREATE VIEW gpu_list AS
SELECT run_id AS "run", steps.label AS "step", device,
       (SELECT json_extract(each.value, '$.name')
        FROM json_each(iif(json_valid(windows.gpus), windows.gpus, '[]')) AS each
        WHERE json_extract(each.value, '$.key') = device) AS "name",
       avg(samples.value) FILTER (WHERE sample_series.name = 'utilisation') * 100 AS "utilisation (%)",
       max(samples.value) FILTER (WHERE sample_series.name = 'memory_bytes') / 1073741824.0 AS "peak memory (GiB)",
       max(samples.value) FILTER (WHERE sample_series.name = 'temperature_c') AS "peak temperature (°C)",
       avg(samples.value) FILTER (WHERE sample_series.name = 'power_w') AS "power (W)"
FROM runs JOIN steps USING (run) JOIN windows USING (run, step) JOIN sample_series USING (window)
     JOIN samples USING (window, series)
WHERE sample_series.source = 'gpu' AND at_us BETWEEN 0 AND end_us - start_us
GROUP BY run_id, steps.step, device
"""

_CAPACITY = """
CREATE TABLE profiles (               -- what a run measured its installation to carry
    run INTEGER PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
    created TEXT NOT NULL,            -- that of the run
    question TEXT NOT NULL,           -- digest of model, workload and SLO: profiles of one question can be compared
    installation TEXT NOT NULL,       -- digest of GPU, framework and settings: of each, the newest profile counts
    model TEXT NOT NULL, framework TEXT NOT NULL,
    gpu TEXT, gpu_count INTEGER,      -- NULL = nobody told
    max_concurrency REAL,             -- at the SLO; NULL = no load that was measured surely holds it
    goodput REAL, output_tps REAL,    -- at that load
    fails_at REAL,                    -- NULL = no load that was measured surely breaks the SLO
    document TEXT NOT NULL            -- JSON
) STRICT;
CREATE INDEX profiles_created ON profiles (created);
CREATE INDEX profiles_question ON profiles (question, installation, created, max_concurrency)
    WHERE max_concurrency IS NOT NULL;

CREATE VIEW profile_list AS
SELECT run_id AS "run", scenario, profiles.created, profiles.model, profiles.framework, profiles.gpu,
       profiles.gpu_count AS "GPUs", max_concurrency AS "max concurrency at SLO",
       profiles.goodput * 100 AS "goodput (%)", profiles.output_tps AS "output (tok/s)",
       fails_at AS "SLO breaks at concurrency"
FROM profiles JOIN runs USING (run) ORDER BY profiles.created DESC, run DESC;

CREATE TABLE analyses (               -- what language models wrote of a run; foreign text
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    created TEXT NOT NULL,            -- UTC, ISO 8601
    document TEXT NOT NULL,           -- JSON
    PRIMARY KEY (run, created)
) STRICT, WITHOUT ROWID;
"""

_PARTS = """
ALTER TABLE request_kinds ADD COLUMN traffic_class TEXT;  -- of a mixture; NULL = the traffic has no classes
ALTER TABLE request_kinds ADD COLUMN turn INTEGER;  -- place in its conversation, from 0; NULL = no conversations
ALTER TABLE request_kinds ADD COLUMN prefix_group INTEGER;  -- from 0; NULL = no shared prefixes

CREATE TABLE request_sessions (       -- only for requests of conversations: others take no room for it
    window INTEGER NOT NULL REFERENCES windows ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    session INTEGER NOT NULL,         -- which conversation of the window, from 0
    PRIMARY KEY (window, seq)
) STRICT, WITHOUT ROWID;

DROP VIEW request_list;
CREATE VIEW request_list AS
SELECT run_id AS "run", steps.label AS "step", look, requests.id - first_id AS "seq", phase, outcome, error_type,
       http_status,
       due_us / 1e3 AS "due (ms)",
       (due_us + lag_us) / 1e3 AS "sent (ms)",
       (due_us + coalesce(lag_us, 0) + wait_us) / 1e3 AS "first (ms)",
       (due_us + coalesce(lag_us, 0) + wait_us + span_us) / 1e3 AS "last (ms)",
       (due_us + coalesce(lag_us, 0) + coalesce(wait_us, 0) + coalesce(span_us, 0) + tail_us) / 1e3 AS "done (ms)",
       gap_us / 1e3 AS "largest gap (ms)",
       coalesce(requests.tokens_in, request_kinds.tokens_in) AS "input tokens",
       coalesce(requests.tokens_out, request_kinds.tokens_out) AS "output tokens", token_source,
       coalesce(requests.tokens_cached, request_kinds.tokens_cached) AS "cached tokens",
       traffic_class AS "class", session, turn + 1 AS "turn", prefix_group AS "prefix group"
FROM runs JOIN steps USING (run) JOIN windows USING (run, step)
     JOIN requests ON requests.id BETWEEN first_id AND last_id
     JOIN request_kinds ON request_kinds.window = windows.window AND request_kinds.kind = requests.kind
     LEFT JOIN request_sessions
            ON request_sessions.window = windows.window AND request_sessions.seq = requests.id - first_id
"""

_CONTENTS = """
ALTER TABLE request_gaps ADD COLUMN contents BLOB;  -- reasoning, answer text, tool calls, packed (store/contents.py)
ALTER TABLE steps ADD COLUMN reasoned INTEGER;      -- completed requests that reasoned; NULL = nobody looked
ALTER TABLE steps ADD COLUMN called_tools INTEGER;
ALTER TABLE steps ADD COLUMN reasoning_tokens INTEGER;
"""

MIGRATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("001 runs and requests", (RUNS, STEPS, RESULTS, VIEWS)),
    ("002 open loop and workers", (_OPEN_LOOP,)),
    ("003 one key for a request", (_ONE_KEY,)),
    ("004 settings as the server told them", (_VERIFICATION,)),
    ("005 imported runs", (_IMPORTED,)),
    ("006 repeats and baselines", (_COMPARISON,)),
    ("007 results and labels to be found by", (_SITE,)),
    ("008 telemetry", (_TELEMETRY,)),
    ("009 profiles and written analyses", (_CAPACITY,)),
    ("010 parts of traffic", (_PARTS,)),
    ("011 reasoning and tool calls", (_CONTENTS,)),
)
"""Each migration that this version knows, in order: its name and its scripts."""
