"""Who did what to whom: rows that are only ever added, with the change that they tell of.

They hold ids, numbers and words of ours; no names, addresses of e-mail, codes, tokens or
passwords. So a deleted account leaves its id there and nothing that says whose it was.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from enum import StrEnum

from asgi_correlation_id import correlation_id
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.addresses import parsed_address
from libs.common.database.tables import audit

#: The address of the request's client; None outside of a request (commands, jobs).
caller_address: ContextVar[str | None] = ContextVar("caller_address", default=None)

#: What is kept of an address: a provider's street, not a household.
_KEPT_BITS = {4: 24, 6: 48}
MAX_IDS = 100

Detail = str | int | float | bool | None | Sequence[int]


class Action(StrEnum):
    """What was done; the value is what rows and the API say."""

    LOGIN_SUCCEEDED = "login.succeeded"
    LOGIN_FAILED = "login.failed"
    LOGOUT = "logout"
    SESSION_ENDED = "session.ended"
    PASSWORD_CHANGED = "password.changed"  # noqa: S105 - a word for it
    PASSWORD_RESET_REQUESTED = "password.reset_requested"  # noqa: S105
    PASSWORD_RESET = "password.reset"  # noqa: S105
    LINK_REQUESTED = "link.requested"
    ACCOUNT_CREATED = "account.created"
    ACCOUNT_CHANGED = "account.changed"
    ACCOUNT_LOCKED = "account.locked"
    ACCOUNT_UNLOCKED = "account.unlocked"
    ACCOUNT_DELETED = "account.deleted"
    ACCOUNT_EXPORTED = "account.exported"
    CONSENT_GIVEN = "consent.given"
    API_KEY_CREATED = "api_key.created"
    API_KEY_REVOKED = "api_key.revoked"
    WALL_CREATED = "wall.created"
    WALL_REVOKED = "wall.revoked"
    SELFIE_DELETED = "selfie.deleted"
    PHOTO_DELETED = "photo.deleted"
    PHOTOS_DOWNLOADED = "photos.downloaded"
    GUEST_ADDED = "guest.added"
    GUEST_EXCLUDED = "guest.excluded"
    GUEST_REMOVED = "guest.removed"
    CAMERA_CLOCK_SET = "camera.clock_set"
    FACES_VIEWED = "faces.viewed"
    WATCHER_CREATED = "watcher.created"
    WATCHER_CHANGED = "watcher.changed"
    WATCHER_DELETED = "watcher.deleted"
    EVENT_CREATED = "event.created"
    EVENT_CHANGED = "event.changed"
    EVENT_CODE_CHANGED = "event.code_changed"
    EVENT_PROLONGED = "event.prolonged"
    EVENT_ERASED = "event.erased"
    EVENT_DELETED = "event.deleted"
    THRESHOLD_CHANGED = "threshold.changed"
    MAIL_SENT_TO_GUESTS = "mail.sent_to_guests"
    BACKUP_RESTORED = "backup.restored"


async def record(
    connection: AsyncConnection,
    action: Action,
    *,
    actor_id: int | None,
    account_id: int | None = None,
    event_id: int | None = None,
    object_id: int | None = None,
    details: Mapping[str, Detail] | None = None,
) -> None:
    """Add a row, in the transaction of what is done: both are committed or neither.

    `actor_id` is the account that acts; None for a stranger, a command or a job. `account_id` is
    whom it is about, `event_id` where; `object_id` the photo, selfie, key or watcher. `details`
    are a few numbers and words, never a person's or a secret. Of the request its id is kept, and
    what `coarse` leaves of the client's address.
    """
    await connection.execute(
        insert(audit).values(
            action=action.value,
            actor_id=actor_id,
            account_id=account_id,
            event_id=event_id,
            object_id=object_id,
            address=coarse(caller_address.get()),
            request_id=correlation_id.get(),
            details=dict(details or {}),
        )
    )


def coarse(address: str | None) -> str | None:
    """Return the network of an address (/24, IPv6 /48); None for what is none, as a socket's."""
    found = parsed_address(address or "")
    if found is None:
        return None
    return str(ipaddress.ip_network((found.packed, _KEPT_BITS[found.version]), strict=False))


def first_ids(ids: Sequence[int]) -> list[int]:
    """Return what a row keeps of many ids."""
    return list(ids[:MAX_IDS])
