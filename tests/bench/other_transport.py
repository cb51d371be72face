"""What the httpx transport costs beside the fast one, on the same paced server: a Markdown table.

python -m tests.bench.other_transport [STREAMS ...]
"""

from __future__ import annotations

import sys
from dataclasses import replace

from tests.bench.served import percentile, served
from tests.bench.streams import FIRST_MS, GAP_MS, TOKENS, paced_window, watch
from tests.bench.truth import errors


def main() -> None:
    """One row for each number of streams and transport."""
    print("| streams | transport | CPU per event | TTFT error p50 | p99 | ITL error p99 | heartbeat p99 |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for streams in map(int, sys.argv[1:] or ["10", "30", "100"]):
        for transport in ("fast", "httpx"):
            print(_row(streams, transport), flush=True)


def _row(streams: int, transport: str) -> str:
    with served(FIRST_MS, TOKENS, GAP_MS) as server:
        asked = paced_window(server.url, streams, requests=streams * 2)
        endpoint = replace(asked.endpoint, transport=transport)  # type: ignore[arg-type]
        watched = watch(replace(asked, endpoint=endpoint), steady_s=5)
    ttft_ms, itl_ms = errors(watched.window, watched.observation, server.truth)
    late_ms = percentile(watched.observation.heartbeat_late_ns, 0.99) / 1e6
    figures = [percentile(ttft_ms, 0.5), percentile(ttft_ms, 0.99), percentile(itl_ms, 0.99), late_ms]
    cells = [str(streams), transport, f"{watched.cpu_us_per_event:.0f} µs", *(f"{each:.1f} ms" for each in figures)]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
