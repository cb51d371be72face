"""Ask a page, and make an answer of whatever becomes of it: nobody ever sees a traceback."""

from __future__ import annotations

from llmload.errors import StoreError
from llmload.site import rendering
from llmload.site.asking import Answer, Asked, Page, Refused
from llmload.store.database import Store


def answer(page: Page, asked: Asked, store: Store) -> Answer:
    """What the page answers; a refusal and a store that cannot be read are pages, too."""
    try:
        return page(asked, store)
    except Refused as refusal:
        return _told(asked, refusal)
    except StoreError as error:
        return _told(asked, Refused(503, error.problem, error.remedy))


def _told(asked: Asked, refusal: Refused) -> Answer:
    told = {"status": refusal.status, "because": refusal.because, "remedy_text": refusal.remedy}
    page = rendering.render("refusal.html.j2", told, asked)
    return Answer(page.body, page.content_type, refusal.status)
