"""A DCGM exporter as far as a client sees it: a page over HTTP, which a test can change while it is served."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOPPER = "NVIDIA H100 80GB HBM3"
SECOND_UUID = "GPU-22222222-aaaa"
FIRST_UUID = "GPU-11111111-aaaa"

_HELP = {
    "DCGM_FI_DEV_SM_CLOCK": ("gauge", "SM clock frequency (in MHz)."),
    "DCGM_FI_DEV_MEM_CLOCK": ("gauge", "Memory clock frequency (in MHz)."),
    "DCGM_FI_DEV_GPU_TEMP": ("gauge", "GPU temperature (in C)."),
    "DCGM_FI_DEV_POWER_USAGE": ("gauge", "Power draw (in W)."),
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": ("counter", "Total energy consumption since boot (in mJ)."),
    "DCGM_FI_DEV_GPU_UTIL": ("gauge", "GPU utilization (in %)."),
    "DCGM_FI_DEV_MEM_COPY_UTIL": ("gauge", "Memory utilization (in %)."),
    "DCGM_FI_DEV_XID_ERRORS": ("gauge", "Value of the last XID error encountered."),
    "DCGM_FI_DEV_FB_FREE": ("gauge", "Framebuffer memory free (in MiB)."),
    "DCGM_FI_DEV_FB_USED": ("gauge", "Framebuffer memory used (in MiB)."),
    "DCGM_FI_DEV_FB_RESERVED": ("gauge", "Framebuffer memory reserved (in MiB)."),
    "DCGM_FI_DEV_FB_TOTAL": ("gauge", "Total framebuffer (in MiB)."),
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": ("gauge", "Current clock throttle reasons (bitmask)."),
    "DCGM_FI_DEV_CLOCKS_EVENT_REASONS": ("gauge", "Current clock event reasons (bitmask)."),
    "DCGM_FI_DEV_POWER_MGMT_LIMIT": ("gauge", "Current power limit (in W)."),
    "DCGM_FI_DEV_ENFORCED_POWER_LIMIT": ("gauge", "Effective power limit (in W)."),
}
BUSY: Mapping[str, float] = {
    "DCGM_FI_DEV_SM_CLOCK": 1980,
    "DCGM_FI_DEV_MEM_CLOCK": 2619,
    "DCGM_FI_DEV_GPU_TEMP": 64,
    "DCGM_FI_DEV_POWER_USAGE": 512.3,
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": 123456789,
    "DCGM_FI_DEV_GPU_UTIL": 87,
    "DCGM_FI_DEV_MEM_COPY_UTIL": 41,
    "DCGM_FI_DEV_XID_ERRORS": 0,
    "DCGM_FI_DEV_FB_FREE": 20000,
    "DCGM_FI_DEV_FB_USED": 61000,
    "DCGM_FI_DEV_FB_RESERVED": 559,
    "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": 4,
    "DCGM_FI_DEV_POWER_MGMT_LIMIT": 700,
}


@dataclass(frozen=True)
class Exported:
    """One GPU or MIG instance as the exporter is told to write it."""

    gpu: int = 0
    uuid: str = FIRST_UUID
    name: str = HOPPER
    host: str = "node-a"
    instance: str = ""
    profile: str = ""
    driver: str = "570.195.03"
    values: Mapping[str, float | str] = field(default_factory=lambda: BUSY)

    @property
    def labels(self) -> str:
        """In the order of the exporter's template."""
        mig = f',GPU_I_PROFILE="{self.profile}",GPU_I_ID="{self.instance}"' if self.instance else ""
        return (
            f'gpu="{self.gpu}",UUID="{self.uuid}",pci_bus_id="00000000:1A:00.0",device="nvidia{self.gpu}",'
            f'modelName="{self.name}"{mig},Hostname="{self.host}",DCGM_FI_DRIVER_VERSION="{self.driver}"'
        )


def page(*exported: Exported) -> str:
    """Metric by metric, each with one line a GPU, as dcgm-exporter writes it."""
    lines = []
    for name, (kind, text) in _HELP.items():
        told = [f"{name}{{{each.labels}}} {each.values[name]}" for each in exported if name in each.values]
        if told:
            lines += [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *told]
    return "\n".join(lines) + "\n"


@dataclass
class Exporter:
    """What is served now, and what came in."""

    url: str
    body: bytes
    status: int = 200
    encoding: str = "identity"
    headers: list[dict[str, str]] = field(default_factory=list)
    proceed: threading.Event = field(default_factory=threading.Event)


@contextmanager
def exporting(text: str) -> Iterator[Exporter]:
    """Serve a page at `/metrics`; an answer waits until `proceed` is set, as it is in the beginning."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.headers.append({name.lower(): value for name, value in self.headers.items()})
            served.proceed.wait(30)
            status = served.status if self.path == "/metrics" else 404
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Encoding", served.encoding)
            self.send_header("Content-Length", str(len(served.body)))
            self.end_headers()
            try:
                self.wfile.write(served.body)
            except OSError:
                return  # the client has read enough

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        served = Exporter(f"http://127.0.0.1:{server.server_address[1]}/metrics", text.encode())
        served.proceed.set()
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield served
        finally:
            served.proceed.set()
            server.shutdown()
            thread.join()
