"""`python -m llmload.simulator`: the child that process.start makes.

The first line on stdin is the settings as JSON; the API key, if any, is in the environment. The URL goes to stdout.
It ends with SIGTERM or when stdin ends, which is when its parent is gone; Ctrl-C is for the parent to act on.
"""

from __future__ import annotations

import os
import signal
import sys

from llmload.errors import LlmloadError
from llmload.simulator.listening import listen
from llmload.simulator.settings import API_KEY_VARIABLE, decode


def main() -> int:
    """Serve on a free loopback port until told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        settings = decode(_first_line(sys.stdin.fileno()))
        listen(
            settings,
            host="127.0.0.1",
            port=0,
            api_key=os.environ.pop(API_KEY_VARIABLE, None),
            stop_signals=(signal.SIGTERM,),
            on_url=lambda url: print(url, flush=True),
            parent=sys.stdin.fileno(),
        )
    except LlmloadError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


def _first_line(source: int) -> bytes:
    """Up to the first newline, and not a byte more than the pipe gave with it."""
    line = b""
    while not line.endswith(b"\n") and (part := os.read(source, 65_536)):
        line += part
    return line


if __name__ == "__main__":
    sys.exit(main())
