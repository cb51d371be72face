"""Ask a page, and make an answer of whatever becomes of it: nobody ever sees a traceback."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable

from llmload.errors import StoreError
from llmload.plain_text import plain
from llmload.site import rendering
from llmload.site.asking import Answer, Asked, Page, Refused
from llmload.store.database import Store


def answer(page: Page, asked: Asked, opened: Callable[[], Store]) -> Answer:
    """What the page answers; a refusal, a store that cannot be read and a defect of ours are pages, too."""
    try:
        return page(asked, opened())
    except Refused as refusal:
        return refused(asked, refusal)
    except StoreError as error:
        return refused(asked, Refused(503, error.problem, error.remedy))
    except Exception as error:
        tell_defect(error)
        return refused(asked, Refused(500, asked.texts["site.defect"], asked.texts["site.defect_remedy"]))


def refused(asked: Asked, refusal: Refused) -> Answer:
    """A refusal as a page, or as a document where a program asks."""
    told: dict[str, object] = {"error": refusal.because, "remedy": refusal.remedy, "status": refusal.status}
    if asked.is_for_programs:
        answered = rendering.document(told)
    else:
        page = {"status": refusal.status, "because": refusal.because, "remedy_text": refusal.remedy}
        answered = rendering.render("refusal.html.j2", page, asked)
    return Answer(answered.body, answered.content_type, refusal.status)


def tell_defect(error: BaseException) -> None:
    """Say on stderr where a defect of ours is: in the lines of our code, without the values that they hold."""
    lines = "".join(traceback.format_tb(error.__traceback__))
    print(f"{lines}llmload: {type(error).__name__}: {plain(str(error))}", file=sys.stderr, flush=True)
