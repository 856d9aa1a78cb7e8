"""Pictures that say who is in them, so that scaling and re-encoding do not matter.

A row of black and white squares: a person is a column of bits, most significant first. The
border is grey, a white marker column stands before each person.
"""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

BITS = 16
MAX_PEOPLE = 15
_CELLS = 2 * MAX_PEOPLE + 2
_CELL_PX = 50


def picture_of(
    people: Sequence[int], *, size: tuple[int, int] | None = None, mark: int = 0
) -> bytes:
    """Return a JPEG with these people, numbers below 65,536; `mark` makes it another file."""
    assert len(people) <= MAX_PEOPLE
    cells = np.full((BITS + 2, _CELLS), 128, np.uint8)
    for position, person in enumerate(people):
        cells[1:-1, 2 * position + 1] = 255
        cells[1:-1, 2 * position + 2] = [
            255 if person >> bit & 1 else 0 for bit in reversed(range(BITS))
        ]
    whole = (_CELLS * _CELL_PX, (BITS + 2) * _CELL_PX)
    image = Image.fromarray(cells).resize(size or whole, Image.Resampling.NEAREST)
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=85, comment=str(mark).encode())
    return buffer.getvalue()


def people_in(jpeg: bytes) -> list[int]:
    """Read the people of such a picture, of whatever size; nobody is in any other."""
    with Image.open(io.BytesIO(jpeg)) as image:
        cells = np.asarray(
            image.convert("L").resize((_CELLS, BITS + 2), Image.Resampling.BOX), np.int64
        )
    people = []
    for position in range(MAX_PEOPLE):
        if cells[1:-1, 2 * position + 1].min() < 192:
            break
        bits = cells[1:-1, 2 * position + 2] > 128
        people.append(int("".join("1" if bit else "0" for bit in bits), 2))
    return people
