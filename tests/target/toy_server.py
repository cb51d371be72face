"""A server that is launched in tests: `python -m tests.target.toy_server PORT`, and what is wrong with it.

It writes the process ids of all that it starts into the file PIDS, one a line.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.target.openai_server import Answer, Document, Script, chat_answer, counted_words, healthy, serving

STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--pids", type=Path)
    parser.add_argument("--say", default="toy server starts")
    parser.add_argument("--die", type=int, help="at once, with this exit code")
    parser.add_argument("--die-after", type=int, help="with exit code 7 on this request")
    parser.add_argument("--once", type=Path, help="only where this file is not there yet")
    parser.add_argument("--unready", action="store_true", help="for ever")
    parser.add_argument("--fail-first", type=int, default=0, help="so many requests, although it says it is ready")
    parser.add_argument("--workers", action="store_true", help="two that ignore SIGTERM, one in a session of its own")
    parser.add_argument("--stubborn", action="store_true", help="ignores SIGTERM itself")
    parser.add_argument("--api-key", help="printed")
    args = parser.parse_args()
    pids = [os.getpid()]
    if args.stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if args.workers:
        for is_apart in (False, True):
            worker = subprocess.Popen([sys.executable, "-c", STUBBORN], start_new_session=is_apart)
            pids.append(worker.pid)
            worker.returncode = 0  # nobody here waits for it
        time.sleep(0.5)  # until they ignore the signal
    if args.pids:
        partial = args.pids.with_suffix(".partial")
        partial.write_text("".join(f"{pid}\n" for pid in pids))
        partial.replace(args.pids)
    print(os.path.expandvars(args.say), args.api_key or "", flush=True)
    if args.die is not None:
        sys.exit(args.die)
    with serving(scripted(args), port=args.port):
        threading.Event().wait()


def scripted(args: argparse.Namespace) -> Script:
    """What it answers."""
    script = healthy()
    seen = 0
    lock = threading.Lock()

    def answer(document: Document) -> Answer:
        nonlocal seen
        with lock:
            seen += 1
            if seen == args.die_after and not (args.once and args.once.exists()):
                if args.once:
                    args.once.touch()
                print("CUDA error: out of memory", file=sys.stderr, flush=True)
                os._exit(7)
        if seen <= args.fail_first:
            return Answer(503, b'{"error": "still warming up"}')
        return chat_answer(document, counted_words(document))

    script.answers["/v1/chat/completions"] = answer
    if args.unready:
        script.answers["/health"] = Answer(503, b"loading")
    return script


if __name__ == "__main__":
    main()
