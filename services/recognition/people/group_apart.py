"""Group faces without slowing down anything else: in a process of one thread and low priority.

The process is `python -m services.recognition.people.group_apart`. Standard input: the largest
distance and the length of an embedding, then all embeddings. Standard output: the smallest row of
each face's group. It reads no setting and no file.
"""

import asyncio
import os
import struct
import sys
from pathlib import Path

import numpy as np

from libs.common.errors import Unavailable
from services.recognition.people.grouping import Embeddings, Numbers, group_faces

HEADER = struct.Struct("<dI")
EMBEDDINGS = np.dtype("<f4")
GROUPS = np.dtype("<i4")
#: Below the workers that analyse photos: they go first.
NICENESS = 15

_MODULE = "services.recognition.people.group_apart"
#: What an interpreter may need to start.
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH")
_ROOT = Path(__file__).resolve().parents[3]


async def group_apart(
    embeddings: Embeddings, *, largest_distance: float, timeout_seconds: float
) -> Numbers:
    """Return what `group_faces` returns; its memory is given back with the process.

    Raises Unavailable where the process dies or takes too long. Cancelling ends it.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        _MODULE,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # One thread: BLAS would take every core. No secret of the service's goes along.
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        | {
            "OPENBLAS_NUM_THREADS": "1",
            "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join([str(_ROOT), *filter(None, sys.path)]),
        },
    )
    asked = (
        HEADER.pack(largest_distance, embeddings.shape[1])
        + embeddings.astype(EMBEDDINGS, copy=False).tobytes()
    )
    try:
        async with asyncio.timeout(timeout_seconds):
            answer, _ = await process.communicate(asked)
    except TimeoutError as error:
        msg = "This event's faces take too long to group. Try again when less is going on."
        raise Unavailable(msg, retry_after_seconds=60) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0 or len(answer) != len(embeddings) * GROUPS.itemsize:
        msg = "This event's faces cannot be grouped at this moment. Try again later."
        raise Unavailable(msg, retry_after_seconds=60)
    return np.frombuffer(answer, GROUPS).astype(np.int64)


def main() -> None:
    """Group what standard input says, and end."""
    os.nice(NICENESS)
    largest_distance, size = HEADER.unpack(sys.stdin.buffer.read(HEADER.size))
    embeddings = np.frombuffer(sys.stdin.buffer.read(), EMBEDDINGS).reshape(-1, size)
    groups = group_faces(embeddings, largest_distance=largest_distance)
    sys.stdout.buffer.write(groups.astype(GROUPS).tobytes())


if __name__ == "__main__":
    main()
