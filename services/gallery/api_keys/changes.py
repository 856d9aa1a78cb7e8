"""API keys are made and revoked, by photographers for themselves and by admins for them."""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime

from libs.common.accounts.api_keys import ApiKey
from libs.common.database.audit import Action, record
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import Conflict, InvalidInput, NotFound
from libs.common.messaging.messages import AccountChanged
from libs.common.web.auth import Principal, Role
from services.gallery.api_keys import repository as keys
from services.gallery.api_keys.repository import ApiKeyRow

#: One for each machine of a large team; whoever makes more is a program that went wrong.
MAX_KEYS = 50


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that somebody asks for; for all of the photographer's events without one."""

    name: str
    photographer_id: int | None
    event_id: int | None
    expires_at: datetime | None


async def create_key(
    asked: NewKey, principal: Principal, *, unit: UnitOfWork
) -> tuple[ApiKey, ApiKeyRow]:
    """Return the key, which nobody can be shown again, and its row.

    Raises InvalidInput, NotFound for a photographer or an event that is not the caller's, and
    Conflict when the photographer has too many.
    """
    user_id = _photographer(asked, principal)
    if asked.expires_at is not None and asked.expires_at <= datetime.now(UTC):
        msg = "The key would have expired already. Give a later moment, or none."
        raise InvalidInput(msg)
    connection = unit.connection
    if not await keys.lock_photographer(connection, user_id):
        raise NotFound("Photographer", user_id)
    if asked.event_id is not None and not await keys.runs_event(
        connection, user_id, asked.event_id
    ):
        raise NotFound("Event", asked.event_id)
    if await keys.count_keys(connection, user_id) >= MAX_KEYS:
        msg = f"There are {MAX_KEYS} keys already. Revoke one that is not used any more."
        raise Conflict(msg)
    key = ApiKey.new()
    row = await keys.add_key(
        connection,
        key.id,
        key.digest,
        user_id=user_id,
        event_id=asked.event_id,
        name=asked.name,
        expires_at=asked.expires_at,
    )
    await record(
        connection,
        Action.API_KEY_CREATED,
        actor_id=principal.user_id,
        account_id=user_id,
        event_id=asked.event_id,
    )
    return key, row


async def revoke_key(key_id: uuid.UUID, principal: Principal, *, unit: UnitOfWork) -> None:
    """End a key for every service. Raises NotFound for one that is not the caller's."""
    whose = None if principal.role is Role.ADMIN else principal.user_id
    revoked = await keys.delete_key(unit.connection, key_id, user_id=whose)
    if revoked is None:
        raise NotFound("API key", key_id)
    # No login ends with it; services ask about all of the account again.
    unit.publish(AccountChanged(user_id=revoked.photographer_id, ended_sessions=()))
    await record(
        unit.connection,
        Action.API_KEY_REVOKED,
        actor_id=principal.user_id,
        account_id=revoked.photographer_id,
        event_id=revoked.event_id,
    )


def _photographer(asked: NewKey, principal: Principal) -> int:
    if principal.role is not Role.ADMIN:
        if asked.photographer_id not in (None, principal.user_id):
            raise NotFound("Photographer", asked.photographer_id)
        return principal.user_id
    if asked.photographer_id is None:
        msg = "Name the photographer whose uploads the key is for: photographer_id."
        raise InvalidInput(msg)
    return asked.photographer_id
