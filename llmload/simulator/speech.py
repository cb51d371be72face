"""Which protocols a server speaks: those of the framework that it stands for, or all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from llmload.simulator import embeddings, ollama, openai, sglang, triton, vllm
from llmload.simulator.protocol import Api, Pages, Respond, Served


class _Module(Protocol):
    """What each protocol's module has."""

    def apis(self, served: Served) -> Mapping[str, Api]:
        """The paths that generate."""

    def pages(self, served: Served) -> Pages:
        """What else is answered."""


_OPENAI = (openai, vllm)
_EMBEDDING = (*_OPENAI, embeddings)
_OF_FRAMEWORKS: Mapping[str, Sequence[_Module]] = {
    "openai": _EMBEDDING,
    "vllm": _EMBEDDING,
    "lmdeploy": _OPENAI,
    "sglang": (openai, embeddings, sglang),
    "ollama": (openai, embeddings, ollama),
    "triton": (triton,),
}
FRAMEWORKS = tuple(sorted(_OF_FRAMEWORKS))
"""Those that have a protocol of their own here; a server of any other speaks all."""
_ALL: Sequence[_Module] = (openai, embeddings, vllm, sglang, ollama, triton)


@dataclass(frozen=True, slots=True)
class Speech:
    """Everything that is answered: the paths that generate, and the rest by method and path."""

    apis: Mapping[str, Api]
    pages: Pages


def aliases_of(framework: str | None, model: str) -> tuple[str, ...]:
    """Other names of the model: Ollama's OpenAI path knows it with its tag, too."""
    return (ollama.full_name(model),) if ollama in _protocols_of(framework) else ()


def speech_of(framework: str | None, served: Served) -> Speech:
    """What a server of `framework` answers, and nothing else: who asks it must not learn what a real one would not say.

    None = everything, on one port.
    """
    apis: dict[str, Api] = {}
    pages: dict[tuple[str, str], Respond] = {}
    for protocol in _protocols_of(framework):
        apis |= protocol.apis(served)
        pages |= protocol.pages(served)
    return Speech(apis, pages)


def _protocols_of(framework: str | None) -> Sequence[_Module]:
    return _OF_FRAMEWORKS.get(framework or "", _ALL)
