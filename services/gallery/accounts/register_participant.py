"""A guest registers themselves with an event's code."""

from libs.common.database.database import Database
from libs.common.errors import NotFound
from libs.common.web.tokens import Role
from services.gallery.accounts.create_account import AccountRefused, add_account, taken_problems
from services.gallery.accounts.passwords import Passwords
from services.gallery.accounts.rules import NewAccount, account_problems
from services.gallery.events import repository as events

UNKNOWN_CODE = "This event code is not valid."


class EventCodeUnknown(NotFound):
    """No open event has this code."""

    def __init__(self, code: str) -> None:
        super().__init__("Event code", code)


async def register_participant(
    account: NewAccount,
    event_code: str,
    *,
    database: Database,
    passwords: Passwords,
    code_is_address: bool = False,
) -> int:
    """Return the new participant's id; they are a member of the event.

    Raises AccountRefused with everything that is wrong, the event code included; an unknown
    code is EventCodeUnknown instead when it was the invitation's address, not an answer.
    """
    problems = account_problems(account)
    async with database.unit_of_work() as unit:
        event = await events.find_open_event(unit.connection, event_code)
        problems += await taken_problems(account, unit=unit)
    if event is None:
        if code_is_address:
            raise EventCodeUnknown(event_code)
        problems.insert(0, UNKNOWN_CODE)
    if problems or event is None:
        raise AccountRefused(problems)
    # Hashing waits for its turn; meanwhile no connection is held.
    password_hash = await passwords.hash(account.password)
    async with database.unit_of_work() as unit:
        user_id = await add_account(
            account, role=Role.PARTICIPANT, password_hash=password_hash, unit=unit
        )
        await events.join(unit.connection, user_id, event.id)
    return user_id
