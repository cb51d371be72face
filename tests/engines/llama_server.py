"""Serves one model with llama.cpp's own HTTP server until told to stop: python llama_server.py MODEL ALIAS PARENT TASK.

The task is `generate` or `embed`.
"""

from __future__ import annotations

import os
import signal
import sys
import threading

import xllamacpp

SLOTS = 8


def serve(model: str, alias: str, parent: int, task: str) -> None:
    """Print the address when it listens; end with SIGTERM, or with the process that wanted it."""
    settings = xllamacpp.CommonParams()
    settings.model.path = model
    settings.model_alias = {alias}
    settings.hostnames, settings.port = ["127.0.0.1"], 0
    settings.n_ctx, settings.n_parallel = 8192, SLOTS
    # One thread: several would wait for each other by spinning, which takes seconds beside other work.
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.endpoint_metrics = settings.endpoint_slots = settings.endpoint_props = True
    if task == "embed":
        settings.embedding = True
        settings.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    server = xllamacpp.Server(settings)
    print(server.listening_address, flush=True)
    while os.getppid() == parent and not stopped.wait(0.2):
        pass
    os._exit(0)  # llama.cpp takes seconds to free what the system frees at once


if __name__ == "__main__":
    serve(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4])
