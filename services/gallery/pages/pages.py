"""Small pages that links in mails open; whoever has the browser app's needs no others."""

from functools import cache
from pathlib import Path

from fastapi import Response
from jinja2 import Environment, FileSystemLoader

from services.gallery.pages.texts import TEXTS, Page

FILES = Path(__file__).with_name("files")
#: Nothing but our own two files; nobody may frame the page, and its address goes nowhere.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
#: Where each page's form is sent, and what it opens afterwards.
_SENT_TO = {
    Page.PASSWORD_RESET: ("/api/password-reset/confirm", ""),
    Page.LINK: ("/api/link/confirm", "/?opened"),
}
_environment = Environment(
    loader=FileSystemLoader(FILES), autoescape=True, trim_blocks=True, lstrip_blocks=True
)


def page(which: Page, language: str, *, status: int = 200) -> Response:
    """Return a page; the token is not on it: its script takes it from the fragment."""
    return Response(
        _written(which, language), status_code=status, media_type="text/html", headers=HEADERS
    )


@cache
def _written(which: Page, language: str) -> str:
    to, then = _SENT_TO.get(which, ("", ""))
    return _environment.get_template("page.html.j2").render(
        language=language,
        texts=TEXTS[language][which],
        to=to,
        then=then,
        script=bool(to),
        asks_password=which is Page.PASSWORD_RESET,
    )
