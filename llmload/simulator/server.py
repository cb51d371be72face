"""The simulated server: which path answers what, and the pieces behind it."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Callable

import orjson

from llmload.scenario.asked import Simulator
from llmload.simulator.answers import digest_of, stop_length
from llmload.simulator.connection import Connection, HttpRequest
from llmload.simulator.engine import Batch, Generation
from llmload.simulator.exchange import FAULT_MESSAGE, Exchange, Told
from llmload.simulator.faults import Fault, Misfortune
from llmload.simulator.metrics import Metrics
from llmload.simulator.profiles import machine_of
from llmload.simulator.protocol import Answer, Api, Asked, Finish, Page, RefusedError, Respond, Served
from llmload.simulator.replicas import Router
from llmload.simulator.speech import aliases_of, speech_of
from llmload.simulator.tokens import block_hashes
from llmload.simulator.triton import unknown_model
from llmload.simulator.truth import Fate, Ledger, RequestTruth, body_hash

_Route = Callable[[HttpRequest, Connection], None]
_GUARDED = ("/v1/", "/api/", "/v2/models/", "/v2/repository/", "/generate")
"""What the API key guards: with vLLM's `/v1`, what corresponds to it in the other protocols."""


class Server:
    """Everything behind the socket. One per process; `connect` makes the protocol of each new connection."""

    def __init__(self, settings: Simulator, api_key: str | None) -> None:
        self._settings, self._api_key = settings, api_key
        self._machine = machine_of(settings)
        self._served = Served(
            model=settings.model,
            machine=self._machine,
            prefix_cache=settings.prefix_cache,
            started_s=int(time.time()),
            refuse_fields=settings.refuse_fields,
            aliases=aliases_of(settings.framework, settings.model),
            reasoning_tokens=settings.reasoning_tokens,
        )
        self._misfortune = Misfortune(settings.faults, settings.seed)
        self._ledger = Ledger()
        self._connections: set[Connection] = set()
        self._exchanges: dict[Exchange, None] = {}
        self._asked = self._since_restart = 0
        self._begin()
        self._routes = self._all_routes()

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
        elif (unknown := unknown_model(request.path)) is not None:
            if request.method == "POST":
                self._note_refusal(request, Fate.REFUSED, unknown.status, None)
            _respond(to, unknown)
        else:
            to.respond(404, b'{"detail":"Not Found"}')

    # ------------------------------------------------------------ answers by the model

    def _generate(self, api: Api, request: HttpRequest, to: Connection) -> None:
        fault, depth = self._misfortune.next_fault()
        if self._must_restart():
            self._restart(to)
            return
        try:
            asked = api.read(request.body, self._served)
        except RefusedError as refusal:
            self._note_refusal(request, Fate.REFUSED, refusal.page.status, None)
            _respond(to, refusal.page)
            return
        if fault is Fault.ERROR:
            status = self._settings.faults.error_status
            self._note_refusal(request, Fate.FAILED, status, fault)
            _respond(to, api.failure(status, FAULT_MESSAGE))
            return
        exchange = Exchange(self._told(api, asked, request, fault, depth), to, self._note_end)
        self._exchanges[exchange] = None
        self._ledger.in_flight += 1
        if fault is Fault.SLOW_FIRST_BYTE:
            delay_s = self._settings.faults.slow_first_byte_s
            asyncio.get_running_loop().call_later(delay_s, self._begin_late, exchange)
        else:
            exchange.begin(self._router.choose())

    def _begin_late(self, exchange: Exchange) -> None:
        """The model hears of a slow request only now."""
        exchange.generation.arrival_ns = time.monotonic_ns()
        exchange.begin(self._router.choose())

    def _told(self, api: Api, asked: Asked, request: HttpRequest, fault: Fault | None, depth: float) -> Told:
        return Told(
            api=api,
            asked=asked,
            answer=self._answer(asked, request.arrived_ns),
            fault=fault,
            depth=depth,
            request_id=_request_id(request),
            body_hash=body_hash(request.body),
            arrived_ns=request.arrived_ns,
            keep_alive=request.keep_alive,
        )

    def _answer(self, asked: Asked, arrived_ns: int) -> Answer:
        """What the model will say, and for how long."""
        self._asked += 1
        blocks = block_hashes(asked.tokens) if self._settings.prefix_cache else ()
        digest = digest_of(" ".join(asked.tokens), self._settings.seed)
        stops_at = max(asked.minimum, stop_length(digest, self._settings.mean_answer_tokens))
        is_cut = asked.ignore_eos or stops_at >= asked.limit
        return Answer(
            number=self._asked,
            created_s=int(time.time()),
            digest=digest,
            finish=Finish.LENGTH if is_cut else Finish.STOP,
            generation=Generation(arrived_ns, len(asked.tokens), asked.limit if is_cut else stops_at, blocks),
            tells_cached=self._settings.prefix_cache,
        )

    def _note_end(self, exchange: Exchange, fate: Fate) -> None:
        self._ledger.in_flight -= 1
        del self._exchanges[exchange]
        truth = exchange.truth(fate)
        self._ledger.add(truth)
        replica = truth["replica"]
        if replica is not None:
            self._metrics.count_end(replica, exchange.told.answer.finish if fate in (Fate.OK, Fate.MALFORMED) else None)

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

    def _all_routes(self) -> dict[tuple[str, str], _Route]:
        """What is answered, by method and path: as our framework would, and on our own account."""
        routes: dict[tuple[str, str], _Route] = {
            ("GET", "/metrics"): self._show_metrics,
            ("GET", "/truth"): lambda _, to: to.respond(200, orjson.dumps(self._ledger.tell())),
            ("POST", "/truth/reset"): self._reset_truth,
        }
        speech = speech_of(self._settings.framework, self._served)
        routes |= {("POST", path): self._generating(api) for path, api in speech.apis.items()}
        return routes | {asked: _answering(respond) for asked, respond in speech.pages.items()}

    def _generating(self, api: Api) -> _Route:
        return lambda request, to: self._generate(api, request, to)

    def _may_pass(self, request: HttpRequest) -> bool:
        """Whether it has the key, or asks for nothing that the key guards."""
        if self._api_key is None or not request.path.startswith(_GUARDED):
            return True
        given = request.headers.get(b"authorization", b"")
        return hmac.compare_digest(given, b"Bearer " + self._api_key.encode())

    def _show_metrics(self, _request: HttpRequest, to: Connection) -> None:
        engines = [replica.engine for replica in self._router.replicas]
        page = self._metrics.render(engines, self._settings.model)
        to.respond(200, page, "text/plain; version=1.0.0; charset=utf-8")

    def _reset_truth(self, _request: HttpRequest, to: Connection) -> None:
        self._ledger.reset()
        to.respond(200, b'{"reset":true}')


def _respond(to: Connection, page: Page) -> None:
    to.respond(page.status, page.body, page.content_type)


def _answering(respond: Respond) -> _Route:
    return lambda request, to: _respond(to, respond(request.body))


def _request_id(request: HttpRequest) -> str | None:
    """The client's own name of a request, cut to a sane length."""
    given = request.headers.get(b"x-request-id")
    return None if given is None else given[:128].decode("latin-1")
