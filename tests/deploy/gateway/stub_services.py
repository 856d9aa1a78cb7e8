"""Stand-ins for the services behind the gateway, that show what arrived, and when."""

import asyncio
from collections.abc import AsyncIterator

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

CONTENT = bytes(range(256)) * 4096


class Stub:
    """One service: answers every path, counts what it is sent, sends what it is told to."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.received_bytes = 0
        self.events: asyncio.Queue[str] = asyncio.Queue()
        self.app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        self.app.add_api_route("/api/events/1/stream", self._stream, response_class=Response)
        self.app.add_api_route("/api/image/{name}", self._image, methods=["GET", "HEAD"])
        self.app.add_api_route("/{path:path}", self._anything, methods=["GET", "POST"])

    async def _anything(self, request: Request) -> dict[str, object]:
        async for piece in request.stream():
            self.received_bytes += len(piece)
        return {
            "service": self.name,
            "path": request.scope["raw_path"].decode(),
            "query": request.url.query,
            "headers": dict(request.headers),
        }

    async def _image(self, request: Request) -> Response:
        headers = {"ETag": '"1"', "Accept-Ranges": "bytes", "X-Service": self.name}
        if (wanted := request.headers.get("range")) is not None:
            first, last = map(int, wanted.removeprefix("bytes=").split("-"))
            headers["Content-Range"] = f"bytes {first}-{last}/{len(CONTENT)}"
            return Response(CONTENT[first : last + 1], 206, headers=headers)
        return Response(CONTENT, headers=headers)

    async def _stream(self) -> Response:
        async def events() -> AsyncIterator[str]:
            while text := await self.events.get():
                yield f"event: photo\ndata: {text}\n\n"

        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingResponse(events(), media_type="text/event-stream", headers=headers)
