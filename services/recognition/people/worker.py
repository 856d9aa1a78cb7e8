"""Group faces in a process of its own: `python -m services.recognition.people.worker`.

Standard input: the largest distance and the length of an embedding, then all embeddings.
Standard output: the smallest row of each face's group. It reads no setting and no file.
"""

import os
import struct
import sys

import numpy as np

from services.recognition.people.grouping import group_faces

HEADER = struct.Struct("<dI")
EMBEDDINGS = np.dtype("<f4")
GROUPS = np.dtype("<i4")
#: Below the workers that analyse photos: they go first.
NICENESS = 15


def main() -> None:
    """Answer once."""
    os.nice(NICENESS)
    largest_distance, size = HEADER.unpack(sys.stdin.buffer.read(HEADER.size))
    embeddings = np.frombuffer(sys.stdin.buffer.read(), EMBEDDINGS).reshape(-1, size)
    groups = group_faces(embeddings, largest_distance=largest_distance)
    sys.stdout.buffer.write(groups.astype(GROUPS).tobytes())


if __name__ == "__main__":
    main()
