"""A guest joins an event with a name and no password; their session is their account."""

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from libs.common.accounts.tokens import Tokens
from libs.common.consent import require_present
from libs.common.database.audit import Action, record
from libs.common.database.consents import give_consent
from libs.common.database.database import Database
from libs.common.database.transactions import UnitOfWork
from libs.common.errors import NotAuthenticated
from libs.common.web.auth import Role, require_guest
from services.gallery.events.access import join_open_event
from services.gallery.events.rules import Event
from services.gallery.guests import repository as guests
from services.gallery.guests.rules import NameOfStaff, checked_email, checked_language, checked_name
from services.gallery.mail.queue import queue_mail
from services.gallery.mail.rules import Template
from services.gallery.selfies.changes import match_selfies_in
from services.gallery.sessions.sessions import IssuedSession, issue_session


@dataclass(frozen=True, slots=True)
class Joining:
    """What a guest says as they join."""

    event_code: str
    name: str
    consent_version: str
    language: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Joined:
    """The event, and the session of a guest who had none."""

    user_id: int
    event: Event
    session: IssuedSession | None


async def join_event(
    asked: Joining,
    user_id: int | None,
    *,
    lifetime: timedelta,
    user_agent: str | None,
    tokens: Tokens,
    database: Database,
) -> Joined:
    """Join as a new guest, or with the account that is logged in. Raises what these two raise."""
    async for attempt in database.attempts():
        async with attempt as unit:
            if user_id is not None:
                joined = await join_again(asked, user_id, unit=unit)
            else:
                joined = await join_as_new_guest(
                    asked,
                    lifetime=lifetime,
                    user_agent=user_agent,
                    tokens=tokens,
                    unit=unit,
                )
    return joined


async def check_joining(asked: Joining, user_id: int | None, connection: AsyncConnection) -> None:
    """Say what `join_event` would refuse, but for the code. Raises what it raises."""
    require_present(asked.consent_version)
    checked_language(asked.language)
    if user_id is None:
        await _checked_guest(asked, connection)
    else:
        await _require_guest(user_id, connection)


async def join_as_new_guest(
    asked: Joining,
    *,
    lifetime: timedelta,
    user_agent: str | None,
    tokens: Tokens,
    unit: UnitOfWork,
) -> Joined:
    """Make an account without a password, a member of the event, and log it in.

    An address gets a link which opens the account on another device, and proves the address:
    until then it is nobody's, and keeps nobody from registering with it. Raises InvalidInput,
    EventCodeUnknown, ConsentOutdated.
    """
    require_present(asked.consent_version)
    name, email = await _checked_guest(asked, unit.connection)
    user_id = await guests.insert_guest(
        unit.connection,
        name=name,
        pending_email=email,
        language=checked_language(asked.language),
    )
    event, _ = await join_open_event(unit.connection, user_id, asked.event_code)
    await record(
        unit.connection,
        Action.ACCOUNT_CREATED,
        actor_id=user_id,
        account_id=user_id,
        event_id=event.id,
        details={"role": Role.PARTICIPANT.value, "has_password": False},
    )
    await _consent(asked, user_id, unit=unit)
    session = await issue_session(
        user_id,
        Role.PARTICIPANT,
        lifetime=lifetime,
        user_agent=user_agent,
        tokens=tokens,
        unit=unit,
    )
    if email is not None:
        await queue_mail(unit.connection, Template.OPEN_ACCOUNT, user_id=user_id, to=email)
    return Joined(user_id, event, session)


async def join_again(asked: Joining, user_id: int, *, unit: UnitOfWork) -> Joined:
    """A guest who is logged in joins a further event with the same account, or the same again.

    What they said of themselves before stays. Raises NotAllowed for who is no guest,
    EventCodeUnknown, ConsentOutdated.
    """
    # A selfie that arrives at this moment must see the membership, or be seen here.
    await _require_guest(user_id, unit.connection, lock=True)
    await _consent(asked, user_id, unit=unit)
    event, is_new = await join_open_event(unit.connection, user_id, asked.event_code)
    if is_new:
        await match_selfies_in(event.id, user_id=user_id, unit=unit)
    return Joined(user_id, event, None)


async def _checked_guest(asked: Joining, connection: AsyncConnection) -> tuple[str, str | None]:
    """Return a new guest's name and address as they are stored. Raises InvalidInput."""
    email = checked_email(asked.email) if asked.email else None
    name = checked_name(asked.name)
    if await guests.looks_like_staff(connection, name):
        raise NameOfStaff
    return name, email


async def _require_guest(user_id: int, connection: AsyncConnection, *, lock: bool = False) -> None:
    """Raises NotAllowed for who is no guest, NotAuthenticated where the account is gone."""
    person = await guests.find_person(connection, user_id, lock=lock)
    if person is None:
        msg = "This account is gone. Join again."
        raise NotAuthenticated(msg)
    require_guest(person.role)


async def _consent(asked: Joining, user_id: int, *, unit: UnitOfWork) -> None:
    await give_consent(
        unit.connection,
        user_id,
        version=asked.consent_version,
        language=asked.language,
        given_by="join",
    )
