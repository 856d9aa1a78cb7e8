"""What admins do with accounts: their own kind's, photographers', and an event's guests'."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, BeforeValidator, Field

from libs.common.web.auth import Role, require
from libs.common.web.ids import PathId
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.changes import (
    AccountChange,
    change_photographer,
    delete_account,
    delete_photographer,
)
from services.gallery.accounts.registration import create_account, create_first_admin
from services.gallery.accounts.routes import UserData, account_view
from services.gallery.events.access import require_event
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.web.answers import json_answer
from services.gallery.web.requests import Text, none_if_empty

#: Open while there is no admin.
first_admin_router = APIRouter(prefix="/api", tags=["admin"])
router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(require(Role.ADMIN))])
OptionalText = Annotated[Text | None, BeforeValidator(none_if_empty)]


class PhotographerChanges(BaseModel):
    """What is to change of an account; a form leaves empty what it does not change."""

    username: OptionalText = None
    email: OptionalText = None
    password: Annotated[OptionalText, Field(repr=False)] = None
    is_active: bool | None = None

    def change(self) -> AccountChange:
        """Return it for the use case."""
        return AccountChange(self.username, self.email, self.password, self.is_active)


@first_admin_router.post("/register-admin")
@first_admin_router.post("/admin/register-admin", include_in_schema=False)
async def register_admin(asked: UserData, gallery: CurrentGallery) -> Response:
    """Make the first admin; 403 once there is one."""
    user_id = await create_first_admin(
        asked.account(), database=gallery.database, passwords=gallery.passwords
    )
    return json_answer({"message": "Admin created.", "user_id": user_id})


@router.post("/create-admin")
async def create_admin(asked: UserData, gallery: CurrentGallery) -> Response:
    """Make another admin."""
    return await _create(asked, Role.ADMIN, gallery)


@router.post("/create-photographer")
@router.post("/photographers")
async def create_photographer(asked: UserData, gallery: CurrentGallery) -> Response:
    """Make a photographer."""
    return await _create(asked, Role.PHOTOGRAPHER, gallery)


@router.get("/photographers")
async def photographers(gallery: CurrentGallery) -> Response:
    """All photographers."""
    async with gallery.database.read() as connection:
        found = await accounts.find_accounts(connection, role=Role.PHOTOGRAPHER)
    return json_answer([account_view(account) for account in found])


@router.put("/photographers/{user_id}")
async def change(user_id: PathId, asked: PhotographerChanges, gallery: CurrentGallery) -> Response:
    """Change name, address, password, or whether they can log in; null leaves what is there."""
    changed = await change_photographer(
        user_id, asked.change(), database=gallery.database, passwords=gallery.passwords
    )
    return json_answer({"message": "Photographer updated."} | account_view(changed))


@router.delete("/photographers/{user_id}")
async def remove_photographer(user_id: PathId, gallery: CurrentGallery) -> Response:
    """Delete a photographer; 409 while they have events, which another one must get first."""
    async for attempt in gallery.database.attempts(patient=True):
        async with attempt as unit:
            await delete_photographer(user_id, unit=unit)
    return json_answer({"message": "Photographer deleted."})


@router.get("/events/{event_id}/users")
async def users_of_event(event_id: PathId, gallery: CurrentGallery) -> Response:
    """The event's participants."""
    async with gallery.database.read() as connection:
        await require_event(connection, event_id)
        found = await accounts.find_accounts(connection, joined_event_id=event_id)
    return json_answer([account_view(account) for account in found])


@router.delete("/users/{user_id}")
async def remove_user(user_id: PathId, gallery: CurrentGallery) -> Response:
    """Delete an account with its selfies and matches."""
    async for attempt in gallery.database.attempts(patient=True):
        async with attempt as unit:
            await delete_account(user_id, unit=unit)
    return json_answer({"message": "Account deleted."})


async def _create(asked: UserData, role: Role, gallery: Gallery) -> Response:
    user_id = await create_account(
        asked.account(), role=role, database=gallery.database, passwords=gallery.passwords
    )
    return json_answer({"message": f"{role.name.capitalize()} created.", "user_id": user_id})
