"""Who did what to whom, for admins."""

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from libs.common.database.audit import Action
from libs.common.web.auth import Role, require
from libs.common.web.ids import RowId
from libs.common.web.moments import Moment
from services.gallery.audit import repository as audit
from services.gallery.audit.repository import Filter
from services.gallery.audit.schemas import AuditEntry
from services.gallery.gallery import CurrentGallery
from services.gallery.web.paging import MAX_LIMIT, next_page

DEFAULT_LIMIT = 100

router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(require(Role.ADMIN))])


@router.get("/audit")
async def list_audit(
    request: Request,
    response: Response,
    gallery: CurrentGallery,
    action: Action | None = None,
    actor_id: RowId | None = None,
    account_id: RowId | None = None,
    event_id: RowId | None = None,
    since: Moment | None = None,
    until: Moment | None = None,
    limit: Annotated[int, Query(ge=1)] = DEFAULT_LIMIT,
    cursor: RowId | None = None,
) -> list[AuditEntry]:
    """What was done, newest first; the Link header has the next page's address."""
    limit = min(limit, MAX_LIMIT)
    wanted = Filter(action, actor_id, account_id, event_id, since, until)
    async with gallery.database.read(patient=True) as connection:
        # One more than asked for tells whether there is a next page.
        found = await audit.page(connection, wanted, before=cursor, limit=limit + 1)
    if len(found) > limit:
        asked = {key: value for key, value in asdict(wanted).items() if value is not None}
        query = asked | {"limit": limit, "cursor": found[limit - 1].id}
        response.headers["Link"] = next_page(request, query)
    return [AuditEntry.model_validate(asdict(row)) for row in found[:limit]]
