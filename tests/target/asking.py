"""What the tests of this room ask the probe about."""

from __future__ import annotations

from collections.abc import Mapping

from llmload.scenario.asked import SecretRef, ServerUrl, Target, Timeouts, Tls
from llmload.scenario.lengths import Fixed
from llmload.scenario.traffic import Synthetic, Workload


def a_target(
    url: str,
    *,
    model: str | None = None,
    api: str = "chat",
    api_key: SecretRef | None = None,
    headers: tuple[tuple[str, str], ...] = (),
    tls: Tls = Tls(),  # noqa: B008 - frozen
    connect_s: float = 2.0,
) -> Target:
    """A running OpenAI-compatible server at `url`."""
    return Target(
        place=ServerUrl(url),
        model=model,
        framework="openai",
        settings=None,
        declared=(),
        api=api,
        api_key=api_key,
        headers=headers,
        tls=tls,
        timeouts=Timeouts(connect_s=connect_s, first_token_s=30.0, total_s=60.0),
    )


def a_workload(
    input_tokens: int = 64,
    output_tokens: int = 16,
    *,
    stream: bool = True,
    sampling: Mapping[str, object] | None = None,
    tokenizer_file: str | None = None,
) -> Workload:
    """Synthetic prompts of one length."""
    return Workload(
        prompts=Synthetic(Fixed(input_tokens), Fixed(output_tokens), unique=True),
        sampling={"temperature": 0} if sampling is None else sampling,
        stream=stream,
        seed=42,
        tokenizer_file=tokenizer_file,
    )
