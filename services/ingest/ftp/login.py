"""Who logs in by FTP: a photographer's API key, to the event of a code."""

from dataclasses import dataclass, field

from libs.common.accounts.accounts import Accounts, KeyInvalid
from libs.common.accounts.api_keys import ApiKey
from libs.common.accounts.principal import Principal
from libs.common.database.database import Database
from libs.common.errors import Gone, NotAllowed, NotAuthenticated, NotFound
from libs.common.limits.budgets import FAMILIAR, WRONG_LOGINS_OF_ADDRESS
from libs.common.limits.limiter import Limiter
from libs.common.limits.source import source_of
from services.ingest.ftp import repository
from services.ingest.photos.rules import Way
from services.ingest.photos.store_photo import Destination
from services.ingest.photos.take_file import destination_of


class LoginRefused(NotAuthenticated):
    """No such event, no such key, or a key that is not for the event: it is not told which."""

    def __init__(self) -> None:
        super().__init__(
            "The user name must be the event's code, and the password an API key of its"
            " photographer. One of them is not right."
        )


@dataclass(frozen=True, slots=True)
class Login:
    """What a connection may do: send photos to one event."""

    event_id: int
    key: str = field(repr=False)
    #: From where, as limits count it.
    source: str


async def log_in(
    code: str,
    key: str,
    address: str,
    *,
    accounts: Accounts,
    limiter: Limiter,
    database: Database,
) -> Login:
    """Return the login of an event's code and an API key.

    Raises LoginRefused, EventOver, and TooManyRequests after too many wrong ones from an address;
    a key that has been used there before goes on.
    """
    source = source_of(address)
    parsed = ApiKey.parse(key)
    familiar = None if parsed is None else FAMILIAR.of("key", parsed.id.hex, source)
    async with limiter.guess(WRONG_LOGINS_OF_ADDRESS.of(source), familiar=familiar) as guess:
        try:
            await accounts.key_holder(key)
            async with database.read() as connection:
                event_id = await repository.find_event_id(connection, code)
            login = Login(event_id, key, source)
            await destination(login, accounts=accounts, database=database)
        except Gone:
            raise
        except (KeyInvalid, NotAllowed, NotFound) as error:
            guess.missed()
            raise LoginRefused from error
        if familiar is not None:
            await limiter.remember(familiar)
    return login


async def destination(login: Login, *, accounts: Accounts, database: Database) -> Destination:
    """Return where the login's files go at this moment.

    Raises KeyInvalid once the key is none any more, NotFound, NotAllowed, EventOver.
    """
    principal: Principal = await accounts.key_holder(login.key)
    return await destination_of(principal, login.event_id, Way.FTP, database=database)
