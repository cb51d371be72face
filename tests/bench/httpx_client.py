"""What most load tools do: httpx, `aiter_lines` and `json.loads` on every event.

    python -m tests.bench.httpx_client URL STREAMS SECONDS

Prints the CPU microseconds per event of its steady state.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import httpx
import uvloop


async def _stream(client: httpx.AsyncClient, url: str, number: int, stamps: list[int]) -> None:
    body = {"model": "tiny", "messages": [{"role": "user", "content": str(number)}], "stream": True}
    while True:
        async with client.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
            async for line in answer.aiter_lines():
                if line.startswith("data: {") and json.loads(line[6:])["choices"]:
                    stamps.append(time.monotonic_ns())


async def main() -> None:
    """Measure from one third of the time to its end."""
    url, streams, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    stamps: list[int] = []
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=None)) as client:
        tasks = [asyncio.create_task(_stream(client, url, number, stamps)) for number in range(streams)]
        await asyncio.sleep(seconds / 3)
        before, cpu = len(stamps), time.process_time()
        await asyncio.sleep(seconds * 2 / 3)
        print((time.process_time() - cpu) / (len(stamps) - before) * 1e6)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    uvloop.run(main())
