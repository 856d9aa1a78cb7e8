"""The page on which one tries the API: Swagger UI, all of it from our own origin."""

import importlib.resources
from typing import Final

from fastapi import APIRouter
from fastapi.responses import FileResponse, HTMLResponse, Response

from libs.common.errors import NotFound
from libs.common.web.ids import PathName

PAGE_PATH = "/api/docs/gallery"
ASSETS_PATH = "/api/docs/assets"
DOCUMENT_URL = "/api/openapi.json"

_ASSETS: Final = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
_START: Final = f"""\
SwaggerUIBundle({{
  url: "{DOCUMENT_URL}",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
}});
"""
_PAGE: Final = f"""\
<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <title>FindMe: the API</title>
  <link rel="icon" href="{ASSETS_PATH}/favicon.png">
  <link rel="stylesheet" href="{ASSETS_PATH}/swagger-ui.css">
</head>
<body>
  <div id="swagger-ui"></div>
  <script src="{ASSETS_PATH}/swagger-ui-bundle.js"></script>
  <script src="{ASSETS_PATH}/start.js"></script>
</body>
</html>
"""
#: Swagger UI sets styles in attributes; of scripts only those files are run.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
    " img-src 'self' data:; font-src data:; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'"
)
_KEPT: Final = {"Cache-Control": "public, max-age=3600"}

router = APIRouter(include_in_schema=False)


@router.get(PAGE_PATH)
async def show_api() -> HTMLResponse:
    """The page."""
    headers = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
    return HTMLResponse(_PAGE, headers=headers)


@router.get(ASSETS_PATH + "/{name}")
async def show_asset(name: PathName) -> Response:
    """A file that the page is made of."""
    if name == "start.js":
        return Response(_START, media_type="text/javascript", headers=_KEPT)
    if name not in _ASSETS:
        raise NotFound("File", name)
    folder = importlib.resources.files("fastapi_offline") / "static"
    return FileResponse(str(folder / name), media_type=_ASSETS[name], headers=_KEPT)
