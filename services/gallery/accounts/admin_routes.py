"""What admins do with accounts: their own kind's, photographers', and an event's guests'."""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel, BeforeValidator, Field

from libs.common.web.auth import Admin, Principal, Role, require
from libs.common.web.ids import PathId
from libs.common.web.openapi import problems
from services.gallery.accounts import repository as accounts
from services.gallery.accounts.changes import (
    AccountChange,
    change_account,
    delete_account,
    delete_photographer,
)
from services.gallery.accounts.registration import create_account, create_first_admin, has_admin
from services.gallery.accounts.routes import UserData
from services.gallery.accounts.schemas import ChangedPhotographer, CreatedAccount, User
from services.gallery.accounts.views import account_view
from services.gallery.events.access import require_event
from services.gallery.gallery import CurrentGallery, Gallery
from services.gallery.web.answers import json_answer
from services.gallery.web.requests import Text, none_if_empty
from services.gallery.web.schemas import Message

#: Open while there is no admin.
first_admin_router = APIRouter(prefix="/api", tags=["admin"])
router = APIRouter(prefix="/api/admin", tags=["admin"], dependencies=[Depends(require(Role.ADMIN))])
OptionalText = Annotated[Text | None, BeforeValidator(none_if_empty)]


class FirstAdmin(UserData):
    """The first admin, by who has the token that the start prints (or in X-Setup-Token)."""

    setup_token: Annotated[Text | None, Field(repr=False)] = None


class FirstStart(BaseModel):
    """How far the beginning is."""

    needs_admin: bool = Field(description="Whether one can be made with the setup token.")
    links_begin_with: str | None = Field(
        description="As PUBLIC_URL or INVITE_URL say; null where neither does."
    )


class PhotographerChanges(BaseModel):
    """What is to change of an account; a form leaves empty what it does not change."""

    username: OptionalText = None
    email: OptionalText = None
    password: Annotated[OptionalText, Field(repr=False)] = None
    is_active: bool | None = None

    def change(self) -> AccountChange:
        """Return it for the use case."""
        return AccountChange(self.username, self.email, self.password, self.is_active)


@first_admin_router.get("/first-start", operation_id="get_first_start")
async def first_start(gallery: CurrentGallery) -> FirstStart:
    """Whether FindMe waits for its first admin; then `/start` leads through the beginning."""
    is_set = gallery.settings.setup_token is not None
    return FirstStart(
        needs_admin=is_set and not await has_admin(gallery.database),
        links_begin_with=gallery.settings.public_origin,
    )


@first_admin_router.post(
    "/register-admin",
    operation_id="register_first_admin",
    response_model=CreatedAccount,
    responses=problems(403),
)
@first_admin_router.post("/admin/register-admin", include_in_schema=False)
async def register_admin(
    asked: FirstAdmin,
    gallery: CurrentGallery,
    x_setup_token: Annotated[Text | None, Header()] = None,
) -> Response:
    """Make the first admin; 403 once there is one."""
    token = gallery.settings.setup_token
    user_id = await create_first_admin(
        asked.account(),
        shown=asked.setup_token or x_setup_token,
        setup_token=token.get_secret_value() if token is not None else None,
        database=gallery.database,
        passwords=gallery.passwords,
    )
    return json_answer({"message": "Admin created.", "user_id": user_id})


@router.post("/create-admin", response_model=CreatedAccount)
async def create_admin(asked: UserData, principal: Admin, gallery: CurrentGallery) -> Response:
    """Make another admin."""
    return await _create(asked, Role.ADMIN, principal, gallery)


@router.post("/create-photographer", response_model=CreatedAccount)
@router.post("/photographers", operation_id="add_photographer", response_model=CreatedAccount)
async def create_photographer(
    asked: UserData, principal: Admin, gallery: CurrentGallery
) -> Response:
    """Make a photographer."""
    return await _create(asked, Role.PHOTOGRAPHER, principal, gallery)


@router.get("/photographers", operation_id="list_photographers", response_model=list[User])
async def photographers(gallery: CurrentGallery) -> Response:
    """All photographers."""
    async with gallery.database.read() as connection:
        found = await accounts.find_accounts(connection, role=Role.PHOTOGRAPHER)
    return json_answer([account_view(account) for account in found])


@router.put(
    "/photographers/{user_id}",
    operation_id="change_photographer",
    response_model=ChangedPhotographer,
    responses=problems(404),
)
async def change(
    user_id: PathId, asked: PhotographerChanges, principal: Admin, gallery: CurrentGallery
) -> Response:
    """Change name, address, password, or whether they can log in; null leaves what is there."""
    changed = await change_account(
        user_id,
        asked.change(),
        role=Role.PHOTOGRAPHER,
        actor_id=principal.user_id,
        database=gallery.database,
        passwords=gallery.passwords,
    )
    return json_answer({"message": "Photographer updated."} | account_view(changed))


@router.delete(
    "/photographers/{user_id}",
    operation_id="delete_photographer",
    response_model=Message,
    responses=problems(404, 409),
)
async def remove_photographer(
    user_id: PathId, principal: Admin, gallery: CurrentGallery
) -> Response:
    """Delete a photographer; 409 while they have events, which another one must get first."""
    async for attempt in gallery.database.attempts(patient=True):
        async with attempt as unit:
            await delete_photographer(user_id, actor_id=principal.user_id, unit=unit)
    return json_answer({"message": "Photographer deleted."})


@router.get(
    "/events/{event_id}/users",
    operation_id="list_users_of_event",
    response_model=list[User],
    responses=problems(404),
)
async def users_of_event(event_id: PathId, gallery: CurrentGallery) -> Response:
    """The event's participants."""
    async with gallery.database.read() as connection:
        await require_event(connection, event_id)
        found = await accounts.find_accounts(connection, joined_event_id=event_id)
    return json_answer([account_view(account) for account in found])


@router.delete(
    "/users/{user_id}",
    operation_id="delete_user",
    response_model=Message,
    responses=problems(404, 409),
)
async def remove_user(user_id: PathId, principal: Admin, gallery: CurrentGallery) -> Response:
    """Delete an account with its selfies and matches."""
    async for attempt in gallery.database.attempts(patient=True):
        async with attempt as unit:
            await delete_account(user_id, actor_id=principal.user_id, unit=unit)
    return json_answer({"message": "Account deleted."})


async def _create(asked: UserData, role: Role, principal: Principal, gallery: Gallery) -> Response:
    user_id = await create_account(
        asked.account(),
        role=role,
        actor_id=principal.user_id,
        database=gallery.database,
        passwords=gallery.passwords,
    )
    return json_answer({"message": f"{role.name.capitalize()} created.", "user_id": user_id})
