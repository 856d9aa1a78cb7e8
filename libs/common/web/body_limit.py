"""How large a body may be that is read whole, and how long it may take to come."""

import asyncio
import re

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The longest list of photo ids takes a tenth of it.
MAX_BODY_BYTES = 1_000_000
#: A megabyte by a slow phone; whoever sends a byte now and then held the request for ever.
BODY_SECONDS = 30.0
# Whoever sends a photo by the wrong method or path comes here, too.
_TOO_LARGE = (
    f"The request is larger than {MAX_BODY_BYTES} bytes, the most that this address takes."
    " See that address and method are the right ones."
)
_TOO_SLOW = f"The request did not arrive within {BODY_SECONDS:g} s. Send it again."
_WITHOUT_BODY = frozenset({"GET", "HEAD"})


class BodyLimit:
    """JSON bodies are parsed whole: without limits they could fill the memory, and hold requests.

    Routes that read their bodies piece by piece have limits of their own: `streamed` matches their
    method and path ("PUT /api/…").
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        streamed: re.Pattern[str] | None = None,
        seconds: float = BODY_SECONDS,
    ) -> None:
        self._app = app
        self._streamed = streamed
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _WITHOUT_BODY or self._is_streamed(scope):
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > MAX_BODY_BYTES:
            answer = JSONResponse({"detail": _TOO_LARGE}, status_code=413)
            await answer(scope, receive, send)
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._seconds
        received = 0
        is_complete = False

        async def limited() -> Message:
            # A body sent in chunks does not say its length beforehand.
            nonlocal received, is_complete
            if is_complete:  # What is waited for from now on is the client's going away.
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError as error:
                raise HTTPException(408, _TOO_SLOW, headers={"Connection": "close"}) from error
            received += len(message.get("body", b""))
            is_complete = not message.get("more_body", False)
            if received > MAX_BODY_BYTES:
                raise HTTPException(413, _TOO_LARGE)
            return message

        await self._app(scope, limited, send)

    def _is_streamed(self, scope: Scope) -> bool:
        if self._streamed is None:
            return False
        return self._streamed.fullmatch(f"{scope['method']} {scope['path']}") is not None
