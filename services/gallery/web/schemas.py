"""Forms of answers that several subjects share."""

from pydantic import BaseModel, Field

from libs.common.web.openapi import Responses


class Message(BaseModel):
    """What was done, as a sentence for people."""

    message: str = Field(examples=["Photo deleted."])


class FaceBox(BaseModel):
    """A face's place, as fractions of the upright photo."""

    left: float = Field(examples=[0.41])
    top: float = Field(examples=[0.18])
    width: float = Field(examples=[0.12])
    height: float = Field(examples=[0.16])


def paged(*, has_tag: bool = False) -> Responses:
    """Return `responses` of a list that comes in pages; with a tag, a known one is 304."""
    link = {
        "description": 'The next page\'s address: `<…>; rel="next"`; none on the last page.',
        "schema": {"type": "string"},
    }
    answers: Responses = {200: {"description": "The list, or a page of it.", "headers": {}}}
    answers[200]["headers"]["Link"] = link
    if has_tag:
        tag = {"description": "The list's tag, for `If-None-Match`.", "schema": {"type": "string"}}
        answers[200]["headers"]["ETag"] = tag
        answers[304] = {"description": "The list is the one that the client has."}
    return answers
