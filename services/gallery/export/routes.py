"""Everything about the caller, to take along."""

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from libs.common.limits.budgets import EXPORTS
from libs.common.resources import Resources
from libs.common.web.auth import CurrentPrincipal
from libs.common.web.openapi import binary, problems
from services.gallery.export.archive import begin_export
from services.gallery.gallery import CurrentGallery

router = APIRouter(prefix="/api", tags=["accounts"])


@router.get(
    "/me/export",
    operation_id="export_my_data",
    response_class=StreamingResponse,
    responses=binary("application/zip", description="JSON files, and the selfies.") | problems(429),
)
async def export(
    request: Request, principal: CurrentPrincipal, gallery: CurrentGallery
) -> StreamingResponse:
    """All that is stored about the caller, as a ZIP of JSON files and their selfies."""
    await gallery.limiter.spend(EXPORTS.of(principal.user_id))
    resources: Resources = request.app.state.resources
    pieces = await begin_export(principal.user_id, database=gallery.database, store=resources.store)
    headers = {
        "Content-Disposition": 'attachment; filename="findme-export.zip"',
        "Cache-Control": "no-store",
    }
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)
