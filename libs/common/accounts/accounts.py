"""Who shows a token or a key: whether it is ours, and its login and account still stand."""

import asyncio
import uuid
from collections.abc import Callable, Collection, Mapping
from typing import NoReturn

import structlog

from libs.common.accounts import repository
from libs.common.accounts.api_keys import ApiKey
from libs.common.accounts.principal import Principal, Role
from libs.common.accounts.repository import AccountStatus, KeyStatus
from libs.common.accounts.statuses import Statuses
from libs.common.accounts.tokens import SessionOver, TokenClaims, Tokens
from libs.common.database.connections import DATABASE_ERRORS
from libs.common.database.database import Database
from libs.common.errors import FindMeError, NotAuthenticated
from libs.common.messaging.bus.protocol import Bus, Delivery, Subscription
from libs.common.messaging.bus.subscriptions import LastingSubscription
from libs.common.messaging.messages import AccountChanged, AccountDeleted

log = structlog.get_logger(__name__)

#: Every process hears of the accounts whose logins it may have kept.
PATTERNS = (f"{AccountChanged.topic}.*", f"{AccountDeleted.topic}.*")
NOTED_EVERY_SECONDS = 60.0
NOTED_AT_MOST = 20_000

#: Told of an account whose logins have ended: the one of these sessions, or all for None.
EndListener = Callable[[int, Collection[uuid.UUID] | None], None]


class KeyInvalid(NotAuthenticated):
    """The API key is none of ours, was revoked or has expired, or its photographer is gone."""

    def __init__(self) -> None:
        super().__init__("The API key is not valid, or not any more. Ask for another one.")


class Accounts:
    """One for each application: the tokens it takes, and the logins they stand for."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self._tokens = tokens
        self.sessions: Statuses[AccountStatus] = Statuses(self._find_sessions)
        self.keys: Statuses[KeyStatus] = Statuses(self._find_keys)
        self._seen: set[uuid.UUID] = set()
        self._used_keys: set[uuid.UUID] = set()
        self._end_listeners: list[EndListener] = []

    async def principal(self, token: str) -> Principal:
        """Return whose token it is. Raises SessionOver, and what the database raises."""
        claims = self._tokens.verify(token)
        return self._principal(claims, await self.sessions.of(claims.session_id))

    def known_principal(self, token: str) -> Principal | None:
        """Return whose token it is, None where that has to be asked. Raises SessionOver."""
        claims = self._tokens.verify(token)
        known = self.sessions.known(claims.session_id)
        return None if known is None else self._principal(claims, known.value)

    async def key_holder(self, text: str) -> Principal:
        """Return the photographer whose API key it is. Raises KeyInvalid."""
        key = ApiKey.parse(text)
        status = None if key is None else await self.keys.of(key.id)
        if key is None or status is None or not key.fits(status.digest):
            raise KeyInvalid
        _add(self._used_keys, key.id)
        return Principal(status.user_id, Role.PHOTOGRAPHER, only_event_id=status.only_event_id)

    def on_end(self, listener: EndListener) -> None:
        """Have the listener told when logins end, once nothing of them is kept."""
        self._end_listeners.append(listener)

    async def listening(self, bus: Bus) -> LastingSubscription:
        """Begin to listen; what was kept while nobody listened is not trusted."""

        async def listen() -> Subscription:
            subscription = await bus.listen(PATTERNS, self._hear, on_gap=self._miss)
            await self._miss()
            return subscription

        return await LastingSubscription.begin(listen)

    async def note_seen(self) -> NoReturn:
        """Keep noting, coarsely, when logins were last used."""
        while True:
            await asyncio.sleep(NOTED_EVERY_SECONDS)
            await self.note_seen_once()

    async def note_seen_once(self) -> None:
        """Note those that were used since the last time; what cannot be noted now is let go."""
        seen, self._seen = self._seen, set()
        used_keys, self._used_keys = self._used_keys, set()
        if not seen and not used_keys:
            return
        try:
            async with self._database.unit_of_work() as unit:
                await repository.note_seen(unit.connection, seen)
                await repository.note_used(unit.connection, used_keys)
        except (FindMeError, OSError, *DATABASE_ERRORS) as error:
            log.info("use_not_noted", kind=type(error).__name__)

    async def close(self) -> None:
        """End what is being asked."""
        await self.sessions.close()
        await self.keys.close()

    def _principal(self, claims: TokenClaims, status: AccountStatus | None) -> Principal:
        if status is None or not stands_for(claims, status):
            raise SessionOver
        _add(self._seen, claims.session_id)
        return Principal(status.user_id, status.role, claims.session_id)

    async def _find_sessions(
        self, session_ids: Collection[uuid.UUID]
    ) -> Mapping[uuid.UUID, AccountStatus]:
        async with self._database.read() as connection:
            return await repository.find_statuses(connection, session_ids)

    async def _find_keys(self, key_ids: Collection[uuid.UUID]) -> Mapping[uuid.UUID, KeyStatus]:
        async with self._database.read() as connection:
            return await repository.find_keys(connection, key_ids)

    async def _hear(self, delivery: Delivery) -> None:
        topic = delivery.routing_key.rpartition(".")[0]
        if topic == AccountDeleted.topic:
            self._end(AccountDeleted.decode(delivery.body).user_id, None)
        elif topic == AccountChanged.topic:
            changed = AccountChanged.decode(delivery.body)
            self._end(changed.user_id, changed.ended_sessions)

    def _end(self, user_id: int, session_ids: Collection[uuid.UUID] | None) -> None:
        self.sessions.forget_user(user_id)
        self.keys.forget_user(user_id)
        for listener in self._end_listeners:
            listener(user_id, session_ids)

    async def _miss(self) -> None:
        self.sessions.forget_all()
        self.keys.forget_all()


def _add(seen: set[uuid.UUID], one: uuid.UUID) -> None:
    if len(seen) < NOTED_AT_MOST:
        seen.add(one)


def stands_for(claims: TokenClaims, status: AccountStatus) -> bool:
    """Whether a token's claims are still what its rows say."""
    return claims.subject == status.subject and claims.role is status.role
