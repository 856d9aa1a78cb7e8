"""A photographer's and guests' clients, which send again until they are told that it is safe."""

import asyncio
import itertools
import time
from collections.abc import Callable
from typing import Self

import httpx

from libs.common.signing_keys import SigningKeys
from libs.common.web.auth import Principal, Role
from tests.faults.truth import Guest, Photo
from tests.support.people import bearer, issue_token
from tests.support.tiny_jpeg import tiny_jpeg

GIVE_UP_SECONDS = 120.0
#: Longer than any answer takes: whoever hangs up earlier hides how long they take.
HANG_UP_SECONDS = 60.0
PAUSE_SECONDS = 0.3

#: A path and the one file to send there: field, (name, content).
Request = tuple[str, dict[str, tuple[str, bytes]]]


class Clients:
    """Uploads through ingest's API; 503, 507 or no answer at all means: again."""

    def __init__(self, url: str, secret: str, photographer_id: int) -> None:
        # As many connections as there are clients: none waits for another one's answer.
        self._client = httpx.AsyncClient(
            base_url=url, timeout=HANG_UP_SECONDS, limits=httpx.Limits(max_connections=None)
        )
        self._keys = SigningKeys(secret)
        self._photographer = Principal(photographer_id, Role.PHOTOGRAPHER)
        #: Of users who logged in; tokens for the others are made here.
        self.headers: dict[int, dict[str, str]] = {}
        #: Requests that were made again, and how many of them had been answered so.
        self.resent = self.refused = 0
        #: The longest that an answer took, and one that was 503, in seconds.
        self.longest = self.longest_refusal = 0.0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def upload(self, photo: Photo) -> None:
        """Send one photo until it is accepted; the second time it may be a duplicate."""
        await self._until_accepted(
            lambda: (
                f"/api/photographer/events/{photo.event_id}/upload-photos",
                {"files": (photo.name, tiny_jpeg(photo.script))},
            ),
            self._photographer,
        )

    async def send_selfie(self, guest: Guest) -> None:
        """Send a selfie until it is accepted; each attempt is another picture."""
        attempts = itertools.count()
        await self._until_accepted(
            lambda: (
                "/api/upload-selfie",
                {"file": ("me.jpg", tiny_jpeg(guest.selfie_script(next(attempts))))},
            ),
            Principal(guest.user_id, Role.PARTICIPANT),
        )

    async def _until_accepted(self, request: Callable[[], Request], principal: Principal) -> None:
        deadline = time.monotonic() + GIVE_UP_SECONDS
        token = issue_token(principal.user_id, principal.role, keys=self._keys)
        headers = self.headers.get(principal.user_id) or bearer(token)
        while True:
            path, files = request()
            began = time.monotonic()
            try:
                answer = await self._client.post(path, files=files, headers=headers)
            except httpx.TransportError as error:
                problem = repr(error)
            else:
                took = time.monotonic() - began
                self.longest = max(self.longest, took)
                if answer.is_success:
                    return
                assert answer.status_code in {503, 507}, answer.text
                self.refused += 1
                self.longest_refusal = max(self.longest_refusal, took)
                problem = answer.text
            assert time.monotonic() < deadline, f"{path} was never accepted: {problem}"
            self.resent += 1
            await asyncio.sleep(PAUSE_SECONDS)
