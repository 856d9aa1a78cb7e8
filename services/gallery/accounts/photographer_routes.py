"""Changing and deleting a photographer's account."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, BeforeValidator, Field

from libs.common.database.database import UnitOfWork
from libs.common.web.auth import require
from libs.common.web.tokens import Role
from services.gallery.accounts.change_photographer import (
    AccountChange,
    change_photographer,
    require_photographer_account,
)
from services.gallery.accounts.delete_account import delete_account
from services.gallery.deleting import deleting
from services.gallery.gallery import CurrentGallery
from services.gallery.web.answers import json_answer
from services.gallery.web.fields import PathId, Text, none_if_empty
from services.gallery.web.views import account_view

router = APIRouter(
    prefix="/api/admin/photographers/{user_id}",
    tags=["admin"],
    dependencies=[Depends(require(Role.ADMIN))],
)
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


@router.put("")
async def change(user_id: PathId, asked: PhotographerChanges, gallery: CurrentGallery) -> Response:
    """Change name, address, password, or whether they can log in; null leaves what is there."""
    async with gallery.database.unit_of_work() as unit:
        changed = await change_photographer(
            user_id, asked.change(), unit=unit, passwords=gallery.passwords
        )
    return json_answer({"message": "Photographer updated."} | account_view(changed))


@router.delete("")
async def remove(user_id: PathId, gallery: CurrentGallery) -> Response:
    """Delete a photographer; 409 while they have events, which another one must get first."""

    async def delete(unit: UnitOfWork) -> None:
        await require_photographer_account(user_id, unit=unit)
        await delete_account(user_id, unit)

    await deleting(gallery.database, delete)
    return json_answer({"message": "Photographer deleted."})
