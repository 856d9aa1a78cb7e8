"""What the server alone does: answers so many bytes and looks at nothing.

python -m benchmarks.gallery.empty_answer PORT BYTES
"""

import sys

import uvicorn
from starlette.types import Receive, Scope, Send


def main(port: int, size_bytes: int) -> None:
    """Serve until the process is ended."""
    body = b"x" * size_bytes
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(size_bytes).encode()),
    ]

    async def answer(_: Scope, __: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    uvicorn.run(
        answer, port=port, log_config=None, access_log=False, lifespan="off", ws="none", workers=1
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
