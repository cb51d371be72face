"""The least that any client in Python can do: a uvloop protocol that stamps each read and splits it at blank lines.

    python -m tests.bench.null_client HOST PORT STREAMS SECONDS

Prints the CPU microseconds per event of its steady state. What llmload costs beyond it is the price of knowing HTTP,
JSON, deadlines and records.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from array import array
from time import monotonic_ns

import uvloop


class NullClient(asyncio.Protocol):
    """One stream after the other on one connection."""

    def __init__(self, number: int, stamps: array[int]) -> None:
        body = b'{"model":"tiny","messages":[{"role":"user","content":"%d"}],"stream":true}' % number
        self.request = b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%b" % (
            len(body),
            body,
        )
        self.stamps = stamps

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]  # uvloop's own class
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        stamp = monotonic_ns()
        for part in data.split(b"\n\n"):
            if len(part) > 20:  # an event; chunk frames and blank lines are shorter
                self.stamps.append(stamp)
            elif part.endswith(b"[DONE]"):
                self.transport.write(self.request)


async def main() -> None:
    """Measure from one third of the time to its end, when every stream is going."""
    host, port, streams, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
    stamps = array("q")
    loop = asyncio.get_running_loop()
    gc.disable()
    for number in range(streams):
        await loop.create_connection(lambda number=number: NullClient(number, stamps), host, port)  # type: ignore[misc]
    await asyncio.sleep(seconds / 3)
    before, cpu = len(stamps), time.process_time()
    await asyncio.sleep(seconds * 2 / 3)
    print((time.process_time() - cpu) / (len(stamps) - before) * 1e6)


if __name__ == "__main__":
    uvloop.run(main())
