"""The id of a request: the gateway's, or one of ours; answers and log lines carry it."""

import random

from asgi_correlation_id import CorrelationIdMiddleware, correlation_id
from asgi_correlation_id.middleware import is_valid_uuid4
from starlette.types import ASGIApp, Scope

REQUEST_ID = b"x-request-id"


def with_request_ids(app: ASGIApp) -> ASGIApp:
    """Return the application with an id for each of its requests."""
    return CorrelationIdMiddleware(app, generator=_new_id)


def begin_request_id(scope: Scope) -> bytes:
    """Do the same for one request, without a layer around it; return its id."""
    request_id = request_id_of(scope)
    correlation_id.set(request_id)
    return request_id.encode("latin-1")


def request_id_of(scope: Scope) -> str:
    """Return the id that the request came with, or a new one."""
    for name, value in scope["headers"]:
        if name == REQUEST_ID:
            shown = value.decode("latin-1")
            return shown if is_valid_uuid4(shown) else _new_id()
    return _new_id()


def _new_id() -> str:
    return f"{random.getrandbits(128):032x}"
