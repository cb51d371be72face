"""The simulated server: which path answers what, and the pieces behind it."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable

import orjson

from llmload import __version__
from llmload.scenario.asked import Simulator
from llmload.simulator.answers import digest_of, stop_length
from llmload.simulator.connection import Connection, HttpRequest
from llmload.simulator.engine import Batch, Generation
from llmload.simulator.exchange import Exchange, Told
from llmload.simulator.faults import Fault, Misfortune
from llmload.simulator.metrics import Metrics
from llmload.simulator.openai import (
    Api,
    Asked,
    RefusedError,
    Rules,
    check_model,
    error_body,
    prompt_tokens,
    read,
    read_object,
)
from llmload.simulator.profiles import machine_of
from llmload.simulator.replicas import Router
from llmload.simulator.tokens import block_hashes, token_id
from llmload.simulator.truth import Fate, Ledger, RequestTruth, body_hash
from llmload.simulator.wire import Finish

_Route = Callable[[HttpRequest, Connection], None]


class Server:
    """Everything behind the socket. One per process; `connect` makes the protocol of each new connection."""

    def __init__(self, settings: Simulator, api_key: str | None) -> None:
        self._settings, self._api_key = settings, api_key
        self._machine = machine_of(settings)
        self._rules = Rules(settings.model, self._machine.max_model_len, settings.refuse_fields)
        self._misfortune = Misfortune(settings.faults, settings.seed)
        self._ledger = Ledger()
        self._connections: set[Connection] = set()
        self._exchanges: dict[Exchange, None] = {}
        self._asked = self._since_restart = 0
        self._created = int(time.time())
        self._begin()
        self._routes: dict[tuple[str, str], _Route] = {
            ("POST", "/v1/chat/completions"): lambda request, to: self._generate(Api.CHAT, request, to),
            ("POST", "/v1/completions"): lambda request, to: self._generate(Api.COMPLETIONS, request, to),
            ("GET", "/v1/models"): self._models,
            ("POST", "/tokenize"): self._tokenize,
            ("GET", "/health"): lambda _, to: to.respond(200, b""),
            ("GET", "/version"): lambda _, to: to.respond(200, orjson.dumps({"version": f"simulator-{__version__}"})),
            ("GET", "/metrics"): self._show_metrics,
            ("GET", "/truth"): lambda _, to: to.respond(200, orjson.dumps(self._ledger.tell())),
            ("POST", "/truth/reset"): self._reset_truth,
        }

    def connect(self) -> Connection:
        """A protocol for one new connection."""
        return Connection(self.answer, self._connections)

    def close(self) -> None:
        """Drop every connection and timer."""
        self._router.stop()
        for connection in list(self._connections):
            connection.cut()

    def answer(self, request: HttpRequest, to: Connection) -> None:
        """Answer one request, now or later."""
        if not self._may_pass(request):
            if request.method == "POST":
                self._note_refusal(request, Fate.REFUSED, 401, None)
            to.respond(401, b'{"error":"Unauthorized"}')
            return
        route = self._routes.get((request.method, request.path))
        if route is not None:
            route(request, to)
        elif any(path == request.path for _, path in self._routes):
            to.respond(405, b'{"detail":"Method Not Allowed"}')
        else:
            to.respond(404, b'{"detail":"Not Found"}')

    # ------------------------------------------------------------ answers by the model

    def _generate(self, api: Api, request: HttpRequest, to: Connection) -> None:
        fault, depth = self._misfortune.next_fault()
        if self._must_restart():
            self._restart(to)
            return
        try:
            asked = read(api, request.body, self._rules)
        except RefusedError as refusal:
            self._note_refusal(request, Fate.REFUSED, refusal.status, None)
            to.respond(refusal.status, refusal.body)
            return
        if fault is Fault.ERROR:
            status = self._settings.faults.error_status
            self._note_refusal(request, Fate.FAILED, status, fault)
            to.respond(status, error_body(status, "InternalServerError", "a simulated fault"))
            return
        exchange = self._exchange(asked, request, to, fault, depth)
        if fault is Fault.SLOW_FIRST_BYTE:
            delay_s = self._settings.faults.slow_first_byte_s
            asyncio.get_running_loop().call_later(delay_s, self._begin_late, exchange)
        else:
            exchange.begin(self._router.choose())

    def _begin_late(self, exchange: Exchange) -> None:
        """The model hears of a slow request only now."""
        exchange.generation.arrival_ns = time.monotonic_ns()
        exchange.begin(self._router.choose())

    def _exchange(
        self, asked: Asked, request: HttpRequest, to: Connection, fault: Fault | None, depth: float
    ) -> Exchange:
        self._asked += 1
        blocks = block_hashes(asked.tokens) if self._settings.prefix_cache else ()
        digest = digest_of(" ".join(asked.tokens), self._settings.seed)
        stops_at = max(asked.minimum, stop_length(digest, self._settings.mean_answer_tokens))
        is_cut = asked.ignore_eos or stops_at >= asked.limit
        told = Told(
            asked=asked,
            answer_id=f"{asked.api.value[0]}-{self._asked:016x}",
            created=int(time.time()),
            model=self._settings.model,
            digest=digest,
            finish=Finish.LENGTH if is_cut else Finish.STOP,
            fault=fault,
            depth=depth,
            request_id=_request_id(request),
            body_hash=body_hash(request.body),
            arrived_ns=request.arrived_ns,
            keep_alive=request.keep_alive,
            tells_cached=self._settings.prefix_cache,
        )
        output_tokens = asked.limit if is_cut else stops_at
        generation = Generation(request.arrived_ns, len(asked.tokens), output_tokens, blocks)
        exchange = Exchange(told, to, generation, self._note_end)
        self._exchanges[exchange] = None
        self._ledger.in_flight += 1
        return exchange

    def _note_end(self, exchange: Exchange, fate: Fate) -> None:
        self._ledger.in_flight -= 1
        del self._exchanges[exchange]
        truth = exchange.truth(fate)
        self._ledger.add(truth)
        replica = truth["replica"]
        if replica is not None:
            self._metrics.count_end(replica, exchange.told.finish if fate in (Fate.OK, Fate.MALFORMED) else None)

    def _note_refusal(self, request: HttpRequest, fate: Fate, status: int, fault: Fault | None) -> None:
        self._ledger.add(
            RequestTruth(
                request_id=_request_id(request),
                body_hash=body_hash(request.body),
                outcome=fate.value,
                fault=fault.value if fault else None,
                status=status,
                replica=None,
                arrival_ns=request.arrived_ns,
                queue_ns=None,
                first_token_ns=None,
                last_token_ns=None,
                prompt_tokens=0,
                cached_tokens=0,
                output_tokens=0,
            )
        )

    # ------------------------------------------------------------ restart

    def _must_restart(self) -> bool:
        """Whether this request is one too many since the last start."""
        after = self._settings.faults.restart_after
        if after is None or self._since_restart < after:
            self._since_restart += 1
            return False
        return True

    def _restart(self, to: Connection) -> None:
        """Forget queues, caches and counters and drop every connection; the port stays open, as under a supervisor."""
        self._router.stop()
        for exchange in list(self._exchanges):
            exchange.cut()
        to.cut()
        for connection in list(self._connections):
            connection.cut()
        self._ledger.restarts += 1
        self._since_restart = 0
        self._begin()

    def _begin(self) -> None:
        self._metrics = Metrics(self._settings.replicas)
        self._router = Router(
            self._machine,
            self._settings.replicas,
            has_prefix_cache=self._settings.prefix_cache,
            ledger=self._ledger,
            on_batch=self._observe,
        )

    def _observe(self, replica: int, batch: Batch) -> None:
        self._metrics.observe(replica, batch)

    # ------------------------------------------------------------ answers by the server

    def _may_pass(self, request: HttpRequest) -> bool:
        """Like vLLM, the key guards /v1 only."""
        if self._api_key is None or not request.path.startswith("/v1"):
            return True
        given = request.headers.get(b"authorization", b"")
        return hmac.compare_digest(given, b"Bearer " + self._api_key.encode())

    def _models(self, _request: HttpRequest, to: Connection) -> None:
        model = {
            "id": self._settings.model,
            "object": "model",
            "created": self._created,
            "owned_by": "llmload-simulator",
            "root": self._settings.model,
            "parent": None,
            "max_model_len": self._machine.max_model_len,
        }
        to.respond(200, orjson.dumps({"object": "list", "data": [model]}))

    def _tokenize(self, request: HttpRequest, to: Connection) -> None:
        try:
            document = read_object(request.body)
            check_model(document, self._rules)
            tokens = prompt_tokens(Api.CHAT if "messages" in document else Api.COMPLETIONS, document)
        except RefusedError as refusal:
            to.respond(refusal.status, refusal.body)
            return
        told = {
            "count": len(tokens),
            "max_model_len": self._machine.max_model_len,
            "tokens": [token_id(token) for token in tokens],
            "token_strs": tokens if document.get("return_token_strs") is True else None,
        }
        to.respond(200, orjson.dumps(told))

    def _show_metrics(self, _request: HttpRequest, to: Connection) -> None:
        engines = [replica.engine for replica in self._router.replicas]
        page = self._metrics.render(engines, self._settings.model)
        to.respond(200, page, "text/plain; version=1.0.0; charset=utf-8")

    def _reset_truth(self, _request: HttpRequest, to: Connection) -> None:
        self._ledger.reset()
        to.respond(200, b'{"reset":true}')


def _request_id(request: HttpRequest) -> str | None:
    """The client's own name of a request, cut to a sane length."""
    given = request.headers.get(b"x-request-id")
    return None if given is None else given[:128].decode("latin-1")
