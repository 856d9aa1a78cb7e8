"""What answers are made of."""

from typing import Protocol

import orjson
from fastapi import Response

#: A JSON object of the API.
View = dict[str, object]


class Box(Protocol):
    """A face's place as fractions of the upright photo."""

    @property
    def left(self) -> float: ...
    @property
    def top(self) -> float: ...
    @property
    def width(self) -> float: ...
    @property
    def height(self) -> float: ...


def json_answer(value: object) -> Response:
    """Answer a JSON value; moments are ISO 8601 with their offset."""
    return Response(orjson.dumps(value), media_type="application/json")


def box_view(box: Box | None) -> View | None:
    """Return a face's place; None if it is not known."""
    if box is None:
        return None
    return {"left": box.left, "top": box.top, "width": box.width, "height": box.height}


def percent(similarity: float) -> float:
    """Return a similarity of 0..100 as people read it: single precision has no more to say."""
    return round(similarity, 2)
