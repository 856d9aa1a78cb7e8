"""The server: whom it knows us as, what it has, and how it takes a photo."""

import asyncio
import hashlib
import os
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import httpx

from findme_watch.pace import parse_retry_after

MAX_ASKED: Final = 500
#: Connections beyond those that upload: for questions and the agent.
_SPARE_CONNECTIONS: Final = 4
#: Answers that say: not now. 409 and 423 are tus': another request still writes.
_BUSY: Final = frozenset({408, 423, 425, 429, 503, 507})
#: Answers about us and the event, and about no file.
_DOOR: Final = frozenset({401, 403, 404, 410})


@dataclass(frozen=True, slots=True)
class Access:
    """Where the server is, and as whom we come: with a key, or by a login."""

    url: str
    key: str | None = field(default=None, repr=False)
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    #: For a byte to come or to go, in seconds.
    timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Stored:
    """A photo that the event has, now or since before."""

    photo_id: int | None
    is_duplicate: bool


@dataclass(frozen=True, slots=True)
class EventChoice:
    """An event that photos may be sent to."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class AskedWatcher:
    """A folder that the server wants to be watched, and where its sent photos go."""

    id: int
    event_id: int
    path: str | None
    move_to: str | None
    listening: bool


class NotNow(Exception):
    """The network or the server is away or busy; what was asked may be asked again later."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Stumbled(Exception):
    """The server failed at this request; another one may go well."""


class Shut(Exception):
    """Nothing is taken from us: the key, the login or the event is not good (any more)."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class Refused(Exception):
    """The server does not take this file; the message is its reason."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class Server:
    """Requests with their credentials and their errors told apart. Logs in again on a 401."""

    def __init__(self, access: Access, client: httpx.AsyncClient) -> None:
        self._access = access
        self._client = client
        self._token: str | None = None
        self._logging_in = asyncio.Lock()

    @property
    def url(self) -> str:
        """The server's address, as it names an event's destination."""
        return self._access.url

    async def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str | int] | None = None,
        json: object = None,
        content: bytes | None = None,
    ) -> httpx.Response:
        """Return a successful answer. Raises NotNow, Stumbled, Shut and Refused."""
        request = self._client.build_request(
            method, path, headers=headers, params=params, json=json, content=content
        )
        token = await self._credentials()
        answer = await self._send(request, token)
        if answer.status_code == 401 and self._access.key is None:
            answer = await self._send(request, await self._credentials(instead_of=token))
        raise_for(answer)
        return answer

    async def existing(self, event_id: int, hashes: Sequence[str]) -> dict[str, int]:
        """Return the photo ids of those contents, at most MAX_ASKED, that the event has."""
        path = f"/api/events/{event_id}/photos/exists"
        try:
            answer = await self.request("POST", path, json={"sha256": list(hashes)})
        except Shut as error:
            if error.status != 404:
                raise
            told = f"{str(error).rstrip('.')}: {event_id}."
            msg = f"{told} Is the event's number right (--event), and the server's address?"
            raise Shut(msg, error.status) from error
        with _of_findme(answer):
            found = answer.json()["existing"]
            return {str(one["sha256"]): int(one["photo_id"]) for one in found}

    async def put(
        self, event_id: int, name: str, content: bytes, sha256: str, *, watcher_id: int | None
    ) -> Stored:
        """Send a photo in one piece."""
        # A name need not be text: its bytes are sent as they are.
        segment = quote(os.fsencode(name), safe="")
        digest = b64encode(bytes.fromhex(sha256)).decode()
        answer = await self.request(
            "PUT",
            f"/api/events/{event_id}/photos/{segment}",
            headers={"Repr-Digest": f"sha-256=:{digest}:"},
            params=None if watcher_id is None else {"watcher_id": watcher_id},
            content=content,
        )
        with _of_findme(answer):
            stored = answer.json()
            return Stored(int(stored["photo_id"]), stored["status"] == "duplicate")

    async def events(self) -> list[EventChoice]:
        """Return the events that we may send to, the newest first."""
        answer = await self.request("GET", "/api/admin/local-watchers/events")
        with _of_findme(answer):
            return [EventChoice(int(one["id"]), str(one["name"])) for one in answer.json()]

    async def watchers(self, machine_label: str) -> list[AskedWatcher]:
        """Return the folders that are to be watched on the machine of this label."""
        answer = await self.request(
            "GET", "/api/admin/local-watchers", params={"machine_label": machine_label}
        )
        with _of_findme(answer):
            return [
                AskedWatcher(
                    id=int(one["id"]),
                    event_id=int(one["event_id"]),
                    path=one["expected_path"],
                    move_to=one["move_uploaded_dir"],
                    listening=bool(one["listening"]),
                )
                for one in answer.json()
            ]

    async def heartbeat(self, watcher_id: int, problem: str | None) -> None:
        """Say that a folder is looked after, or why it cannot be."""
        path = f"/api/admin/local-watchers/{watcher_id}/heartbeat"
        try:
            await self.request("POST", path, json={"problem": problem})
        except Shut as error:
            # The watcher was removed meanwhile, or the server is older than heartbeats.
            if error.status != 404:
                raise

    async def _credentials(self, *, instead_of: str | None = None) -> str | None:
        """Return the token to show, of a new login where the one before is not taken any more."""
        if self._access.key is not None:
            return self._access.key
        async with self._logging_in:
            if self._token is None or self._token == instead_of:
                self._token = await self._log_in()
            return self._token

    async def _log_in(self) -> str:
        names = {"username": self._access.user, "password": self._access.password}
        answer = await self._send(self._client.build_request("POST", "/api/login", json=names))
        # Its cookie is for browsers: who shows one is asked for more than a token.
        self._client.cookies.clear()
        raise_for(answer)
        with _of_findme(answer):
            return str(answer.json()["access_token"])

    async def _send(self, request: httpx.Request, token: str | None = None) -> httpx.Response:
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"
        try:
            return await self._client.send(request)
        except httpx.TransportError as error:
            raise NotNow(f"The server cannot be reached: {why_not_reached(error)}.") from error


def new_client(access: Access, *, parallel: int) -> httpx.AsyncClient:
    """Return the connections to the server; whoever asks for it closes it."""
    return httpx.AsyncClient(
        base_url=access.url,
        timeout=httpx.Timeout(access.timeout, pool=None),
        limits=httpx.Limits(max_connections=parallel + _SPARE_CONNECTIONS),
        headers={"User-Agent": "findme-watch"},
    )


def raise_for(answer: httpx.Response) -> None:
    """Raise what an answer means that is no success: NotNow, Stumbled, Shut or Refused."""
    status = answer.status_code
    if answer.is_success:
        return
    reason = detail_of(answer)
    if status in _BUSY:
        raise NotNow(reason, parse_retry_after(answer.headers.get("Retry-After")))
    if status in _DOOR:
        raise Shut(reason, status)
    if status >= 500:
        raise Stumbled(reason)
    if status < 400:
        raise Shut(f"The address leads elsewhere ({status}): name the server's own.", status)
    raise Refused(reason, status)


def detail_of(answer: httpx.Response) -> str:
    """Return the server's own sentence, or what else can be said."""
    try:
        detail: object = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = None
    if isinstance(detail, str) and detail:
        return detail
    return f"The server answered {answer.status_code} {answer.reason_phrase}."


def sha256_of(content: bytes) -> str:
    """Return the content's SHA-256 in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


@contextmanager
def _of_findme(answer: httpx.Response) -> Iterator[None]:
    """Raises Stumbled for what FindMe does not answer, as a proxy's or a hotel's page."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        msg = f"The answer is not FindMe's (status {answer.status_code}). Is the address right?"
        raise Stumbled(msg) from error


def why_not_reached(error: Exception) -> str:
    """Return what is wrong with the link or the address, in words where OpenSSL has only its own.

    httpx keeps what its TLS said as text alone.
    """
    told = str(error) or type(error).__name__
    if "WRONG_VERSION_NUMBER" in told:
        return "it does not speak HTTPS at this address. Try the address with http://"
    if "CERTIFICATE_VERIFY_FAILED" in told:
        why = told.partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
        return (
            f"its certificate is not trusted on this machine ({why or told})."
            " Where its root is one of your own, name that file as SSL_CERT_FILE"
        )
    return told
