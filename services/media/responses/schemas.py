"""What the documents say of answers that are objects: whole, in part, or known already."""

from libs.common.web.openapi import Node, Responses, binary
from services.media.responses.headers import FALLBACK_TYPE

#: Photos and what is made of them; one of a doubtful type is sent as the last.
IMAGE_TYPES = ("image/*", FALLBACK_TYPE)


def files(description: str, *media_types: str) -> Responses:
    """Return `responses` of a route that answers an object; `response_class=Response`."""
    types = media_types or IMAGE_TYPES
    answers = binary(*types, description=description)
    answers |= binary(*types, description="The part that `Range` asks for.", status=206)
    for answer in answers.values():
        answer["headers"] = _headers()
    answers[206]["headers"]["Content-Range"] = _text("Which part it is, of how many bytes.")
    answers[302] = {"description": "Where S3 gives the object, with `MEDIA_DELIVERY=redirect`."}
    answers[304] = {"description": "The object is the one that the client has."}
    answers[412] = {"description": "The object is not the one that `If-Match` names."}
    answers[416] = {"description": "The object has no such part."}
    return answers


def _headers() -> dict[str, Node]:
    return {
        "ETag": _text("The object's tag, for `If-None-Match`."),
        "Accept-Ranges": _text("`bytes`"),
        "Cache-Control": _text("Who may keep it, and for how long."),
    }


def _text(description: str) -> Node:
    return {"description": description, "schema": {"type": "string"}}
