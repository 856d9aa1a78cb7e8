"""The OpenAPI document of all services together, as a file that this service carries.

It is made of the routes of all of them by `findme openapi`, as services do not import each other.
"""

from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import FileResponse

DOCUMENT = Path(__file__).with_name("openapi.json")

router = APIRouter(prefix="/api", include_in_schema=False)


@router.get("/openapi.json")
async def get_api_document() -> FileResponse:
    """What every route of FindMe takes and answers."""
    return FileResponse(
        DOCUMENT, media_type="application/json", headers={"Cache-Control": "no-cache"}
    )
