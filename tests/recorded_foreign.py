"""Texts of others that attack whoever shows them."""

from __future__ import annotations

HOSTILE = (
    "=cmd|'/c calc'!A1 <script>alert(1)</script> \x1b[2J\x1b]0;owned\x07[red]`x`|**b**|\n"
    "# h1\n@everyone #12 [a](http://b) ${7*7} \u202egnp \ud800"
)
"""One text that attacks spreadsheets, HTML, terminals, rich, Markdown and readers at once."""

LONG_ERROR = "HTTP 503: " + "upstream överlastad 서버 과부하 🔥 <b>retry</b> \x00\x08 ]]> & | " * 40
"""A server's error body of more than 2,000 characters, with characters that XML forbids."""

assert len(LONG_ERROR) > 2000
