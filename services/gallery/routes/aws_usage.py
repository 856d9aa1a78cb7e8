"""What the paid face service was called for, and what that cost."""

from datetime import date

from fastapi import APIRouter, Depends, Response

from libs.common.http.auth import require
from libs.common.tokens import Role
from services.gallery.answers import json_answer
from services.gallery.gallery import CurrentGallery
from services.gallery.repository.aws_usage import usage
from services.gallery.routes.fields import RowId
from services.gallery.usage_bill import bill

router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(require(Role.ADMIN))])


@router.get("/aws-usage")
async def aws_usage(
    gallery: CurrentGallery, event_id: RowId | None = None, since: date | None = None
) -> Response:
    """Calls and cost per operation and per event, of one event or from a day on if asked."""
    async with gallery.database.read() as connection:
        rows = await usage(connection, event_id=event_id, since=since)
    return json_answer(bill(rows, price_per_call=gallery.settings.aws_price_per_call))
