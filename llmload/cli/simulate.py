"""`llmload simulate`: the embedded server by itself."""

from __future__ import annotations

from typing import Annotated

import typer


def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65_535)] = 8000,
    profile: Annotated[str, typer.Option(help="Figures that resemble a machine: laptop, a10g, l4, a100...")] = "laptop",
    model: Annotated[str, typer.Option(help="Name of the model it serves.")] = "simulated",
    framework: Annotated[
        str | None, typer.Option(help="Speak only its protocols: vllm, sglang, ollama, triton... All without it.")
    ] = None,
    figures: Annotated[
        list[str] | None, typer.Option("--set", help="One figure over the profile's, like max_num_seqs=8.")
    ] = None,
    faults: Annotated[
        list[str] | None, typer.Option("--fault", help="What goes wrong, for which share: disconnect=5%, error=0.1.")
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Name of the environment variable with the API key to ask for.")
    ] = None,
) -> None:
    """Run the embedded LLM server: continuous batching, faults on demand, no GPU, no model.

    It speaks OpenAI's protocol, Ollama's, Triton's generate extension and SGLang's own, by path.

    It resembles a real server and is none: use it to learn llmload and to test clients. GET /truth tells what it
    really did. Ctrl-C or SIGTERM stops it, with exit code 0.

    Example: llmload simulate --port 8000 --profile l4 --set max_num_seqs=16 --fault disconnect=5%
    """
    import os
    import signal

    from llmload.scenario.asked import SecretRef
    from llmload.scenario.secrets import read_secret
    from llmload.simulator.listening import listen
    from llmload.simulator.profiles import machine_of
    from llmload.simulator.settings import from_words

    settings = from_words(profile, model, figures or [], faults or [], framework)
    machine = machine_of(settings)

    def tell(url: str) -> None:
        print(f"simulating {model!r} at {url}{'' if framework else f' (OpenAI API under {url}/v1)'}", flush=True)
        print(f"profile {profile}: {machine.resembles}; it only resembles one", flush=True)
        print(f"what it really did: {url}/truth    metrics: {url}/metrics    stop: Ctrl-C", flush=True)

    listen(
        settings,
        host=host,
        port=port,
        api_key=None if api_key_env is None else read_secret(SecretRef(env=api_key_env), os.environ),
        stop_signals=(signal.SIGINT, signal.SIGTERM),
        on_url=tell,
    )
