"""An OpenAI-shaped server whose every answer a test decides; real sockets, one thread a request."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Document = Mapping[str, object]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. `cut`: announce more than is sent, and hang up."""

    status: int = 200
    body: bytes = b"{}"
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


def as_json(document: object, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status, json.dumps(document).encode())


def events(*documents: object, end: bytes = b"data: [DONE]\n\n") -> Answer:
    """A stream of server-sent events."""
    body = b"".join(b"data: " + json.dumps(document).encode() + b"\n\n" for document in documents) + end
    return Answer(body=body, content_type="text/event-stream")


def chat_answer(request: Document, prompt_tokens: int | None) -> Answer:
    """A complete chat answer of two words, streamed if asked so, with the given count of the prompt, or none."""
    usage = {} if prompt_tokens is None else {"usage": {"prompt_tokens": prompt_tokens, "completion_tokens": 2}}
    if not request["stream"]:
        return as_json({"choices": [{"message": {"content": "yes sir"}, "finish_reason": "stop"}], **usage})
    return events(
        {"choices": [{"delta": {"role": "assistant", "content": ""}}]},
        {"choices": [{"delta": {"content": "yes"}}]},
        {"choices": [{"delta": {"content": " sir"}, "finish_reason": "stop"}]},
        *([{"choices": [], **usage}] if usage else []),
    )


def counted_words(request: Document, template: int = 7, per_word: int = 1) -> int:
    """The count of the prompt by a vocabulary with so many tokens a word."""
    messages = request.get("messages")
    text = messages[0]["content"] if isinstance(messages, list) else str(request["prompt"])
    return template + per_word * len(text.split())


@dataclass
class Seen:
    """A request as it arrived."""

    path: str
    headers: Mapping[str, str]
    document: Document


@dataclass
class Script:
    """What the server answers, by path; anything else is a 404. A callable sees the request's document."""

    answers: dict[str, Answer | Callable[[Document], Answer]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    url: str = ""

    def requests(self, path: str) -> list[Seen]:
        """Everything that was asked at `path`."""
        return [each for each in self.seen if each.path == path]


def healthy(*models: str, template: int = 7, per_word: int = 1) -> Script:
    """A server that is ready, lists `models` and answers every chat with its usage."""
    return Script(
        {
            "/health": Answer(body=b""),
            "/v1/models": as_json({"data": [{"id": model} for model in models or ("tiny",)]}),
            "/version": as_json({"version": "9.8.7"}),
            "/v1/chat/completions": lambda document: chat_answer(document, counted_words(document, template, per_word)),
        }
    )


@contextmanager
def serving(script: Script, tls: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Script]:
    """Serve `script` on `port`, a free one by default, for the time of the block; its `url` is set."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "uvicorn", ""

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _answer(self, document: Document) -> None:
            path = self.path
            script.seen.append(Seen(path, {name.lower(): value for name, value in self.headers.items()}, document))
            chosen = script.answers.get(path.partition("?")[0], Answer(404, b'{"detail":"Not Found"}'))
            answer = chosen(document) if callable(chosen) else chosen
            self.send_response(answer.status)
            self.send_header("content-type", answer.content_type)
            self.send_header("content-length", str(len(answer.body) + 5 * answer.cut))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.cut

        def log_message(self, *_: object) -> None:
            """Tests print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        server.daemon_threads = True
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        script.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
        try:
            yield script
        finally:
            server.shutdown()
            thread.join()
