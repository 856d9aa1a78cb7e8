"""What the paid face service was called for, and what that cost."""

from datetime import date

from fastapi import APIRouter, Depends, Response

from libs.common.web.auth import require
from libs.common.web.tokens import Role
from services.gallery.gallery import CurrentGallery
from services.gallery.operations.usage_bill import bill
from services.gallery.operations.usage_repository import usage
from services.gallery.web.answers import json_answer
from services.gallery.web.fields import RowId

router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(require(Role.ADMIN))])


@router.get("/aws-usage")
async def aws_usage(
    gallery: CurrentGallery, event_id: RowId | None = None, since: date | None = None
) -> Response:
    """Calls and cost per operation and per event, of one event or from a day on if asked."""
    async with gallery.database.read() as connection:
        rows = await usage(connection, event_id=event_id, since=since)
    return json_answer(bill(rows, price_per_call=gallery.settings.aws_price_per_call))
