"""One replica: a discrete model of continuous batching. Pure: it owns no clock, and the same arrivals give the same.

Time moves in steps. When a step begins, requests that have arrived are admitted in order of arrival while there
are a free seat (max_num_seqs) and KV-cache room for prompt and answer (so nothing is ever preempted). A step over
b decoding requests and p prompt tokens takes decode_base + decode_per_seq x b + p / prefill_tokens_per_s. At its end
every decoding request has one more token, and a request whose prompt is complete has its first.

The prefix cache holds as many blocks as the KV cache, the least recently used go first. Blocks are shared for time,
not for memory: a cached prompt is quicker, but reserves as much room. Answers are not cached.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

from llmload.simulator.profiles import BLOCK_TOKENS, Machine


@dataclass(slots=True, eq=False)
class Generation:
    """One request inside the engine. `blocks` are the hashes of its prompt's full blocks (tokens.block_hashes).

    One of no output tokens, which an embedding is, ends with the step that completes its prompt.
    """

    arrival_ns: int
    prompt_tokens: int
    output_tokens: int
    blocks: tuple[bytes, ...] = ()
    admitted_ns: int | None = None
    first_ns: int | None = None
    ended_ns: int | None = None
    cached_tokens: int = 0
    prefilled: int = 0
    generated: int = 0

    @property
    def reserved_tokens(self) -> int:
        """The KV-cache room it takes while it runs."""
        return self.prompt_tokens + self.output_tokens


@dataclass(frozen=True, slots=True)
class Batch:
    """What one step left behind: everyone in `advanced` has one more token at `ended_ns`."""

    began_ns: int
    ended_ns: int
    advanced: list[Generation]
    decoded: int  # how many of them were decoding, so that this step was their inter-token latency


@dataclass(slots=True)
class Counters:
    """What vLLM's /metrics counts, since the engine was made."""

    prompt_tokens: int = 0
    generation_tokens: int = 0
    prefix_queries: int = 0  # tokens
    prefix_hits: int = 0  # tokens
    steps: int = 0


@dataclass(slots=True)
class Engine:
    """A replica's queue, batch and caches."""

    machine: Machine
    has_prefix_cache: bool = True
    counters: Counters = field(default_factory=Counters)
    reserved_tokens: int = 0
    due_ns: int | None = None  # when the step under way ends; None = idle
    _began_ns: int = 0
    _idle_since_ns: int = 0
    _waiting: deque[Generation] = field(default_factory=deque)
    _running: dict[Generation, None] = field(default_factory=dict)  # in order of admission
    _prefilling: dict[Generation, int] = field(default_factory=dict)  # prompt tokens each takes on in this step
    _cache: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    @property
    def running(self) -> int:
        """Requests in the batch."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting)

    @property
    def kv_cache_usage(self) -> float:
        """Share of the KV cache that running requests have reserved, 0..1."""
        return self.reserved_tokens / self.machine.kv_cache_tokens

    def submit(self, generation: Generation) -> None:
        """Queue a request; arrivals must come in order of time."""
        self._waiting.append(generation)
        if self.due_ns is None:
            self._begin_step(max(generation.arrival_ns, self._idle_since_ns))

    def cancel(self, generation: Generation) -> None:
        """Forget a request whose client left; the step under way still takes its time."""
        if generation in self._running:
            self._release(generation)
        elif generation in self._waiting:
            self._waiting.remove(generation)

    def finish_step(self) -> Batch:
        """End the step under way and begin the next; must only be called while `due_ns` is not None."""
        if self.due_ns is None:
            raise ValueError("no step is under way")
        ended_ns, began_ns = self.due_ns, self._began_ns
        advanced, decoded = self._advance(ended_ns)
        self.counters.steps += 1
        self.counters.generation_tokens += len(advanced)
        self._begin_next(ended_ns)
        return Batch(began_ns, ended_ns, advanced, decoded)

    def _advance(self, ended_ns: int) -> tuple[list[Generation], int]:
        advanced, finished, decoded = [], [], 0
        prefilling = self._prefilling
        for generation in self._running:
            if generation.generated:
                decoded += 1
            else:
                generation.prefilled += prefilling.get(generation, 0)
                if generation.prefilled < generation.prompt_tokens:
                    continue
                generation.first_ns = ended_ns
                self._remember(generation)
            generation.generated += 1
            advanced.append(generation)
            if generation.generated >= generation.output_tokens:
                finished.append(generation)
        for generation in finished:
            generation.ended_ns = ended_ns
            if not generation.output_tokens:
                self.counters.generation_tokens -= 1  # what it advanced by is no token
            self._release(generation)
        return advanced, decoded

    def _begin_next(self, now_ns: int) -> None:
        self.due_ns = None
        self._idle_since_ns = now_ns
        if self._running:
            self._begin_step(now_ns)
        elif self._waiting:
            self._begin_step(max(now_ns, self._waiting[0].arrival_ns))

    def _begin_step(self, now_ns: int) -> None:
        budget = self.machine.prefill_budget_tokens
        prefilling: dict[Generation, int] = {}
        decoding = 0
        for generation in self._running:
            if generation.generated:
                decoding += 1
            else:
                prefilling[generation] = min(budget, generation.prompt_tokens - generation.prefilled)
                budget -= prefilling[generation]
        while budget > 0 and (admitted := self._admit(now_ns)) is not None:
            prefilling[admitted] = min(budget, admitted.prompt_tokens - admitted.prefilled)
            budget -= prefilling[admitted]
        self._prefilling = prefilling
        machine = self.machine
        prompt_s = sum(prefilling.values()) / machine.prefill_tokens_per_s
        decode_ms = machine.decode_base_ms + machine.decode_per_seq_ms * decoding
        self._began_ns = now_ns
        self.due_ns = now_ns + round(decode_ms * 1e6 + prompt_s * 1e9)

    def _admit(self, now_ns: int) -> Generation | None:
        """The head of the queue, if it has arrived and there is room; nobody overtakes it."""
        machine = self.machine
        if not self._waiting or len(self._running) >= machine.max_num_seqs:
            return None
        head = self._waiting[0]
        if head.arrival_ns > now_ns or self.reserved_tokens + head.reserved_tokens > machine.kv_cache_tokens:
            return None
        self._waiting.popleft()
        self._running[head] = None
        self.reserved_tokens += head.reserved_tokens
        head.admitted_ns = now_ns
        self._look_up(head)
        self.counters.prompt_tokens += head.prompt_tokens
        return head

    def _release(self, generation: Generation) -> None:
        del self._running[generation]
        self._prefilling.pop(generation, None)
        self.reserved_tokens -= generation.reserved_tokens

    def _look_up(self, generation: Generation) -> None:
        """Count the leading blocks that are cached; the last prompt token is always computed, as in vLLM."""
        if not self.has_prefix_cache:
            return
        hits = 0
        for block in generation.blocks[: (generation.prompt_tokens - 1) // BLOCK_TOKENS]:
            if block not in self._cache:
                break
            self._cache.move_to_end(block)
            hits += 1
        generation.cached_tokens = generation.prefilled = hits * BLOCK_TOKENS
        self.counters.prefix_queries += generation.prompt_tokens
        self.counters.prefix_hits += generation.cached_tokens

    def _remember(self, generation: Generation) -> None:
        if not self.has_prefix_cache:
            return
        for block in generation.blocks:
            self._cache[block] = None
            self._cache.move_to_end(block)
        while len(self._cache) > self.machine.kv_cache_tokens // BLOCK_TOKENS:
            self._cache.popitem(last=False)
