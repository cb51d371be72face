"""`llmload serve`: the store as a site, for people in a browser and for programs."""

from __future__ import annotations

from typing import Annotated

import typer

from llmload.cli import options


def serve(
    store: options.Store = options.DEFAULT_STORE,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 or :: for other machines, too.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes one that is free.")] = 8001,
    sql: Annotated[bool, typer.Option("--sql", help="Let readers ask with SQL of their own.")] = False,
    api_key_env: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Environment variable with the key that every request must then have."),
    ] = None,
    rate_limit: Annotated[
        float, typer.Option(metavar="PER_S", help="Requests a second of one client, on average; 0 = no limit.")
    ] = 50.0,
    cors: Annotated[
        list[str], typer.Option(metavar="ORIGIN", help="Site whose scripts may read this one; repeatable; * = any.")
    ] = [],  # noqa: B006 - typer copies it
    base_url: Annotated[str, typer.Option(metavar="PATH", help="Path that a proxy puts before every page.")] = "/",
    trust_proxy: Annotated[
        list[str],
        typer.Option(
            metavar="ADDRESS", help="Proxy (address or network) whose X-Forwarded-For is believed; repeatable."
        ),
    ] = [],  # noqa: B006
    lang: Annotated[
        str | None, typer.Option(metavar="en|ko", help="Language for browsers that ask for neither; else LLMLOAD_LANG.")
    ] = None,
    open: Annotated[bool, typer.Option("--open", help="Show the site in the browser of the desktop.")] = False,  # noqa: A002
) -> None:
    """Serve the store as a read-only site: history, runs, comparisons, trends, and a form for new scenarios.

    Ends with Ctrl-C. Everybody who reaches the address can read, unless --api-key-env names a key.

    Example: llmload serve --store results.db --port 8001
    """
    import os

    from llmload.site import serving
    from llmload.site.options import read_options
    from llmload.store.database import open_existing

    chosen: dict[str, object] = {"rate_limit": rate_limit, "cors": list(cors), "sql": sql}
    chosen |= {} if api_key_env is None else {"api_key_env": api_key_env}
    chosen |= {} if lang is None else {"lang": lang}
    read_options(chosen, os.environ)
    with open_existing(store):
        pass  # brings it up to date, and says of runs whose process died that they have
    serving.serve(store, chosen, serving.Place(host, port, base_url, tuple(trust_proxy)), _opened if open else _told)


def _told(address: str) -> None:
    print(f"Serving at {address} (Ctrl-C ends it)", flush=True)


def _opened(address: str) -> None:
    from llmload.cli.opening import show_address

    _told(address)
    show_address(address)
