"""Create an event, and change the code by which guests join it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from libs.common.database.database import UnitOfWork
from libs.common.errors import InvalidInput, NotFound
from libs.common.web.tokens import Role
from services.gallery.accounts import repository as accounts
from services.gallery.events import repository as events
from services.gallery.events.codes import code_key, generate_code

MAX_NAME_CHARACTERS = 200
MAX_CODE_CHARACTERS = 64
#: 41 random bits: even the second try is never needed in practice.
_CODE_TRIES = 5


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that somebody asks for; without a code it gets a random one."""

    name: str
    lifetime: timedelta
    event_code: str | None = None
    date: datetime | None = None
    photographer_id: int | None = None


@dataclass(frozen=True, slots=True)
class CreatedEvent:
    """What its maker is told of it."""

    event_id: int
    event_code: str


async def create_event(event: NewEvent, *, unit: UnitOfWork) -> CreatedEvent:
    """Raises InvalidInput: no name, a code in use, or no such photographer."""
    name = checked_name(event.name)
    if event.photographer_id is not None:
        await require_photographer(event.photographer_id, unit=unit)
    await events.lock_codes(unit.connection)
    code = _checked(event.event_code) if event.event_code else await unused_code(unit=unit)
    event_id = await events.insert_event(
        unit.connection,
        name=name,
        code=code,
        date=event.date,
        photographer_id=event.photographer_id,
        expires_at=expiry(event.date, event.lifetime),
    )
    if event_id is None:
        raise CodeInUse(code)
    return CreatedEvent(event_id, code)


async def set_event_code(event_id: int, code: str, *, unit: UnitOfWork) -> str:
    """Return the code as it was stored. Raises NotFound, InvalidInput when it is in use."""
    checked = _checked(code)
    await events.lock_codes(unit.connection)
    if await events.code_in_use(unit.connection, checked, besides=event_id):
        raise CodeInUse(checked)
    if not await events.change_code(unit.connection, event_id, checked):
        raise NotFound("Event", event_id)
    return checked


async def unused_code(*, unit: UnitOfWork) -> str:
    """Return a random code that no event has."""
    for _ in range(_CODE_TRIES):
        code = generate_code()
        if not await events.code_in_use(unit.connection, code):
            return code
    msg = "no unused event code was found"
    raise RuntimeError(msg)


def checked_name(name: str) -> str:
    """Return an event's name as it is stored. Raises InvalidInput."""
    tidy = name.strip()
    if not tidy or len(tidy) > MAX_NAME_CHARACTERS:
        msg = f"An event needs a name of 1 to {MAX_NAME_CHARACTERS} characters."
        raise InvalidInput(msg)
    return tidy


async def require_photographer(user_id: int, *, unit: UnitOfWork) -> None:
    """Raises InvalidInput unless there is a photographer with this id."""
    if await accounts.role_of(unit.connection, user_id) is not Role.PHOTOGRAPHER:
        msg = f"There is no photographer with the id {user_id}."
        raise InvalidInput(msg)


def expiry(date: datetime | None, lifetime: timedelta) -> datetime:
    """Return when an event of this date ends; one that lies ahead keeps its whole lifetime."""
    now = datetime.now(UTC)
    return max(date or now, now) + lifetime


class CodeInUse(InvalidInput):
    """Another event has this code."""

    def __init__(self, code: str) -> None:
        super().__init__(f"The event code {code} is already in use.")
        self.code = code


def _checked(code: str) -> str:
    tidy = code.strip()
    if not code_key(tidy) or len(tidy) > MAX_CODE_CHARACTERS:
        msg = f"An event code has 1 to {MAX_CODE_CHARACTERS} characters."
        raise InvalidInput(msg)
    return tidy
