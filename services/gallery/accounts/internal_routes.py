"""Accounts of guests who register together with a selfie: asked for by ingest, which has that."""

from fastapi import APIRouter, Depends, Response

from libs.common.database.audit import caller_address
from libs.common.registrations import (
    REGISTRATION_CHECK_PATH,
    REGISTRATIONS_PATH,
    RegistrationRequest,
)
from libs.common.web.ids import PathId
from libs.common.web.internal import require_internal
from services.gallery.accounts.changes import withdraw_registration
from services.gallery.accounts.login import own_account
from services.gallery.accounts.registration import check_registration, register_participant
from services.gallery.accounts.rules import NewAccount
from services.gallery.accounts.views import account_view
from services.gallery.gallery import CurrentGallery
from services.gallery.web.answers import json_answer

router = APIRouter(include_in_schema=False, dependencies=[Depends(require_internal)])


@router.post(REGISTRATION_CHECK_PATH)
async def check(asked: RegistrationRequest, gallery: CurrentGallery) -> Response:
    """Say what is wrong with the account or the code, before the selfie costs a look."""
    caller_address.set(asked.client_address)
    await check_registration(
        _account(asked),
        asked.event_code,
        database=gallery.database,
        passwords=gallery.passwords,
        limiter=gallery.limiter,
    )
    return json_answer({"valid": True})


@router.post(REGISTRATIONS_PATH)
async def register(asked: RegistrationRequest, gallery: CurrentGallery) -> Response:
    """Make the account; its selfie comes next, or `withdraw`."""
    # It is the guest who does it, not the service that asks.
    caller_address.set(asked.client_address)
    user_id = await register_participant(
        _account(asked),
        asked.event_code,
        database=gallery.database,
        passwords=gallery.passwords,
        limiter=gallery.limiter,
        code_is_address=True,
    )
    async with gallery.database.read() as connection:
        return json_answer(account_view(await own_account(connection, user_id)))


@router.delete(REGISTRATIONS_PATH + "/{user_id}")
async def withdraw(user_id: PathId, gallery: CurrentGallery) -> Response:
    """Delete the account again, as its selfie could not be kept."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await withdraw_registration(user_id, unit=unit)
    return json_answer({"withdrawn": True})


def _account(asked: RegistrationRequest) -> NewAccount:
    return NewAccount.of(asked.username, asked.email, asked.password)
