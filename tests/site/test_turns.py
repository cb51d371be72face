"""Pages take turns: in order, one at a time, and nobody waits for one that takes long."""

from __future__ import annotations

import asyncio

import pytest

from llmload.site.turns import Turns


def test_pages_are_made_one_after_another_in_the_order_they_were_asked_for() -> None:
    seen: list[str] = []

    async def page(name: str) -> str:
        seen.append(f"{name} begins")
        await asyncio.sleep(0)
        seen.append(f"{name} ends")
        return name

    async def asked() -> list[str]:
        turns = Turns(60)
        return await asyncio.gather(*(turns.take(lambda name=name: page(name)) for name in "abc"))

    assert asyncio.run(asked()) == ["a", "b", "c"]
    assert seen == ["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]


def test_a_page_that_takes_long_holds_nobody_back_and_is_made_all_the_same() -> None:
    async def asked() -> list[str]:
        turns, is_quick_done = Turns(0.01), asyncio.Event()

        async def slow() -> str:
            await is_quick_done.wait()
            return "slow"

        async def quick() -> str:
            is_quick_done.set()
            return "quick"

        return await asyncio.wait_for(asyncio.gather(turns.take(slow), turns.take(quick)), timeout=10)

    assert asyncio.run(asked()) == ["slow", "quick"]


def test_a_page_that_fails_gives_its_turn_on() -> None:
    async def fails() -> str:
        raise LookupError("no such page")

    async def answers() -> str:
        return "page"

    async def asked() -> str:
        turns = Turns(60)
        with pytest.raises(LookupError, match="no such page"):
            await turns.take(fails)
        return await turns.take(answers)

    assert asyncio.run(asked()) == "page"
