"""The gallery's accounts, asked for over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, TypeVar

import httpx
import structlog
from pydantic import BaseModel, ValidationError

from libs.common.errors import (
    Conflict,
    FindMeError,
    Gone,
    InvalidInput,
    NotAuthenticated,
    TooManyRequests,
    Unavailable,
)
from libs.common.registrations import (
    JOIN_CHECK_PATH,
    JOINS_PATH,
    REGISTRATION_CHECK_PATH,
    REGISTRATIONS_PATH,
    EventCodeUnknown,
    Joined,
    JoinRequest,
    RegisteredGuest,
    RegistrationRequest,
)
from libs.common.telemetry import tracing
from libs.common.web.internal import internal_client
from services.ingest.settings import IngestSettings

#: Passwords wait for their turn to be hashed.
ANSWER_SECONDS = 30.0
_AWAY = "You cannot be registered at this moment. Try again in a few seconds."
#: What the gallery says of the guest's request, in its words.
_RELAYED: Final = {400: InvalidInput, 401: NotAuthenticated, 409: Conflict, 410: Gone}

ModelT = TypeVar("ModelT", bound=BaseModel)

log = structlog.get_logger(__name__)


class Accounts:
    """Has guests' accounts checked, made, and taken back."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def check(self, asked: RegistrationRequest) -> None:
        """Raises InvalidInput, NotFound or Gone for what is wrong with it, or Unavailable."""
        await self._send("POST", REGISTRATION_CHECK_PATH, asked)

    async def make(self, asked: RegistrationRequest) -> RegisteredGuest:
        """Return the new account. Raises InvalidInput, NotFound, Gone, Unavailable."""
        answer = await self._send("POST", REGISTRATIONS_PATH, asked)
        return _decoded(RegisteredGuest, answer)

    async def check_join(self, asked: JoinRequest) -> None:
        """Raises what `check` does, Conflict for an outdated consent, NotAuthenticated."""
        await self._send("POST", JOIN_CHECK_PATH, asked)

    async def join(self, asked: JoinRequest) -> Joined:
        """Return the guest who is in the event now. Raises what `check_join` does."""
        return _decoded(Joined, await self._send("POST", JOINS_PATH, asked))

    @asynccontextmanager
    async def withdrawn_on_failure(self, user_id: int) -> AsyncIterator[None]:
        """Have the account, which is new, deleted again where the block fails."""
        try:
            yield
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(self._withdraw(user_id)))
            raise

    async def _withdraw(self, user_id: int) -> None:
        try:
            await self._send("DELETE", f"{REGISTRATIONS_PATH}/{user_id}", None)
        except FindMeError as error:
            # Whoever registered can log in, and send the selfie by itself.
            log.warning("registration_not_withdrawn", user_id=user_id, error=error)

    async def _send(self, method: str, path: str, asked: BaseModel | None) -> httpx.Response:
        try:
            answer = await self._client.request(
                method,
                path,
                content=None if asked is None else asked.model_dump_json(),
                headers={"Content-Type": "application/json", **tracing.headers()},
            )
        except httpx.HTTPError as error:
            log.warning("accounts_unavailable", kind=type(error).__name__)
            raise Unavailable(_AWAY) from error
        if answer.is_success:
            return answer
        raise _refusal(answer)


def _decoded(model: type[ModelT], answer: httpx.Response) -> ModelT:
    try:
        return model.model_validate_json(answer.content)
    except ValidationError as error:
        raise Unavailable(_AWAY) from error


def _refusal(answer: httpx.Response) -> FindMeError:
    if answer.status_code == 404:
        return EventCodeUnknown(None)
    kind = _RELAYED.get(answer.status_code)
    detail = _detail(answer)
    if answer.status_code == 429 and detail is not None:
        seconds = answer.headers.get("Retry-After", "")
        return TooManyRequests(
            detail, retry_after_seconds=int(seconds) if seconds.isdecimal() else 60
        )
    if kind is not None and detail is not None:
        return kind(detail)
    log.warning("accounts_unavailable", status=answer.status_code)
    return Unavailable(_AWAY)


def _detail(answer: httpx.Response) -> str | None:
    try:
        detail = answer.json().get("detail")
    except (ValueError, AttributeError):
        return None
    return detail if isinstance(detail, str) else None


def accounts_client(
    settings: IngestSettings, transport: httpx.AsyncBaseTransport | None
) -> httpx.AsyncClient:
    """Return the one client of the process; `transport` reaches a service without a socket."""
    return internal_client(
        settings.gallery_url,
        keys=settings.signing_keys,
        timeout_seconds=ANSWER_SECONDS,
        transport=transport,
    )
