"""Answers that a process has at hand: the server writes them as it has read a request's head.

An offer of our applications to our server (`http_protocol.py`), beside ASGI: no task is made for
such an answer, no message sent, and no layer is on its way. Whoever offers it answers from memory
or the page cache what its endpoint would answer, and knows without waiting that the caller may have
it. All else, errors included, is the endpoint's: it is called as if nobody had been asked before.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

from starlette.requests import Request
from starlette.types import Scope

from libs.common.web.answer_headers import Header


class ReadyAnswer(NamedTuple):
    """What an endpoint would answer; what every answer says besides is added to it."""

    status: int
    #: Said by many answers: completed once for all of them.
    common: tuple[Header, ...]
    #: Of this one.
    own: Sequence[Header]
    #: None of a HEAD's.
    body: bytes | bytearray


class WrittenAnswer(NamedTuple):
    """An answer as it goes to the client, but for what the connection adds to its head."""

    #: The status line and fields, without the empty line at the end.
    head: bytes
    body: bytes | bytearray


@runtime_checkable
class AnswersAtOnce(Protocol):
    """An application that may have an answer at hand."""

    def at_once(self, scope: Scope) -> WrittenAnswer | None:
        """Return the answer to a request without a body, None where it is ASGI's to give."""


#: Answers for an endpoint, or leaves it to it. It must not wait, nor change anything.
ReadyEndpoint = Callable[[Request], ReadyAnswer | None]
EndpointT = TypeVar("EndpointT", bound=Callable[..., object])

_READY: dict[Callable[..., object], ReadyEndpoint] = {}


def ready(by: ReadyEndpoint) -> Callable[[EndpointT], EndpointT]:
    """Mark a hot route's endpoint: what `by` has at hand is what it would answer."""

    def mark(endpoint: EndpointT) -> EndpointT:
        _READY[endpoint] = by
        return endpoint

    return mark


def ready_endpoint(endpoint: Callable[..., object]) -> ReadyEndpoint | None:
    """Return what answers for the endpoint, None where nothing does."""
    return _READY.get(endpoint)
