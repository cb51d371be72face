"""A page that was opened in a browser, and what it did meanwhile."""

from __future__ import annotations

from typing import Protocol

from playwright.sync_api import Page


class OpenPage(Protocol):
    """Opens what a reporter made; `options` are those of a browser context."""

    def __call__(self, content: bytes, **options: object) -> Page: ...


class Opened:
    """Listens from before the page is loaded: whatever it says on the console, throws, asks for or pops up."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.complaints.append(f"thrown: {error}"))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("request", lambda request: self.requests.append(request.url))
        answer = page.goto(address)
        self.status = 200 if answer is None else answer.status

    def unexpected(self) -> list[str]:
        """The complaints, without that one which a browser has of every page that is a refusal."""
        of_status = f"error: Failed to load resource: the server responded with a status of {self.status} "
        first = next((each for each in self.complaints if self.status >= 400 and each.startswith(of_status)), None)
        told = list(self.complaints)
        if first is not None:
            told.remove(first)
        return told


def draw_charts(page: Page) -> int:
    """Scrolls past every chart, waits until each is live, and goes back to the top. How many there are."""
    figures = page.locator("figure.chart")
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
        figure.and_(page.locator("[data-drawn]")).wait_for()
    page.evaluate("scrollTo(0, 0)")
    return figures.count()
