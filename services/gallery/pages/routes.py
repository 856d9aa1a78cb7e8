"""The pages of links in mails, and the end of news by one click (RFC 8058)."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import FileResponse

from libs.common.web.openapi import binary
from services.gallery.gallery import CurrentGallery
from services.gallery.mail.news import end_news
from services.gallery.mail.rules import language_of
from services.gallery.mail.unsubscribe import Unsubscribing
from services.gallery.pages.pages import FILES, HEADERS, page
from services.gallery.pages.texts import Page

router = APIRouter(prefix="/api", tags=["accounts"])

AcceptLanguage = Annotated[str, Header()]
Token = Annotated[str, Query(max_length=200)]
_FILE_HEADERS = HEADERS | {"Cache-Control": "public, max-age=3600"}
_PAGE = binary("text/html", description="A page.")


@router.get("/pages/page.css", include_in_schema=False)
async def style() -> FileResponse:
    """The pages' looks."""
    return FileResponse(FILES / "page.css", media_type="text/css", headers=_FILE_HEADERS)


@router.get("/pages/page.js", include_in_schema=False)
async def script() -> FileResponse:
    """What a page does when its button is clicked."""
    return FileResponse(FILES / "page.js", media_type="text/javascript", headers=_FILE_HEADERS)


@router.get("/pages/password-reset", response_class=Response, responses=_PAGE)
async def password_reset_page(accept_language: AcceptLanguage = "") -> Response:
    """Ask for a new password; what a link for one opens."""
    return page(Page.PASSWORD_RESET, language_of(accept_language))


@router.get("/pages/link", response_class=Response, responses=_PAGE)
async def link_page(accept_language: AcceptLanguage = "") -> Response:
    """Ask for a click; what a link to an account opens."""
    return page(Page.LINK, language_of(accept_language))


@router.get("/unsubscribe", response_class=Response, responses=_PAGE)
async def unsubscribe_page(accept_language: AcceptLanguage = "", token: Token = "") -> Response:
    """Ask whether no more news are to come; what the link at the end of a mail opens."""
    del token  # the form is sent to the same address
    return page(Page.UNSUBSCRIBE, language_of(accept_language))


@router.post(
    "/unsubscribe",
    operation_id="end_news",
    response_class=Response,
    responses=_PAGE | binary("text/html", description="No link of ours.", status=400),
)
async def unsubscribe(
    gallery: CurrentGallery, accept_language: AcceptLanguage = "", token: Token = ""
) -> Response:
    """Send no more news to the account that the link is of; mail programs do it with one click."""
    language = language_of(accept_language)
    unsubscribing = Unsubscribing(gallery.settings.signing_keys)
    user_id = unsubscribing.user_id(token)
    if user_id is None:
        return page(Page.NOT_OURS, language, status=400)
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await end_news(user_id, unit=unit)
    return page(Page.UNSUBSCRIBED, language)
