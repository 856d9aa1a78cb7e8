"""The browser app's pages and files, beside the API."""

from starlette.datastructures import URLPath
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match, NoMatchFound
from starlette.types import Receive, Scope, Send

from services.gallery.browser_app.files import Pages, is_client_route

#: Where the API is described: what the door leads to where the browser app is not built.
API_PAGES = "/api/docs/gallery"


class PagesRoute(BaseRoute):
    """Pages and files by GET and HEAD; without them, `/` leads to the API's pages."""

    #: What its requests are measured by.
    path = "/{page}"

    def __init__(self, pages: Pages | None) -> None:
        self._pages = pages

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As Starlette asks: whether this route answers."""
        if scope["type"] == "http" and self._answers(scope["path"]):
            return Match.FULL, {"route": self}
        return Match.NONE, {}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await (self._pages or RedirectResponse(API_PAGES))(scope, receive, send)

    def url_path_for(self, name: str, /, **path_params: object) -> URLPath:
        """It has no name. Raises NoMatchFound."""
        raise NoMatchFound(name, path_params)

    def _answers(self, path: str) -> bool:
        if self._pages is None:
            return path == "/"
        return is_client_route(path) or path in self._pages
