"""A process of a test's own, which does not outlive it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any


@asynccontextmanager
async def own_process(
    program: str | Path, *arguments: str | Path, **options: Any
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Start it for the length of the block; one that has not ended by then is killed.

    `options` are those of `asyncio.create_subprocess_exec`.
    """
    process = await asyncio.create_subprocess_exec(program, *arguments, **options)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        # Also what it has printed, which nobody wants any more, is to be read.
        await process.communicate()
