"""The one table that turns errors into HTTP answers."""

from collections.abc import Mapping, Sequence

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.common.database.connections import SessionRefused
from libs.common.database.sqlstates import is_away, is_conflict, sqlstate
from libs.common.database.transactions import CONFLICT
from libs.common.errors import (
    Conflict,
    Corrupted,
    FindMeError,
    Gone,
    InvalidInput,
    Locked,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooLarge,
    TooManyRequests,
    TransientError,
    Unavailable,
    WrongMedia,
    WrongVersion,
)
from libs.common.exhaustion import Exhausted, lacks
from libs.common.storage.protocol import StoreFull

log = structlog.get_logger(__name__)

#: The most specific class of an error decides.
STATUS: dict[type[Exception], int] = {
    TooLarge: 413,
    InvalidInput: 400,
    NotAuthenticated: 401,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    Gone: 410,
    WrongVersion: 412,
    WrongMedia: 415,
    Locked: 423,
    TooManyRequests: 429,
    StoreFull: 507,
    Unavailable: 503,
    TransientError: 503,
    # Of the protocol tus 1.0 alone.
    Corrupted: 460,
}
DEFAULT_RETRY_AFTER_SECONDS = 5
#: Between what is wrong with a value by each of the forms that it may have.
_OR = ", or: "
_NOTHING = object()
#: Instead of pydantic's words, which are about Python: "object to extract fields from".
_WORDS = dict.fromkeys(
    ("model_type", "model_attributes_type", "dict_type"), "Input should be a JSON object"
)
#: PostgreSQL's class of codes for values: out of range, or no characters of the database's.
_DATA_EXCEPTION = "22"
_NO_SUCH_VALUE = "A value in the request is out of range, or has characters that cannot be stored."


def install(app: FastAPI) -> None:
    """Answer domain errors, a lost database and surprises in the contract's form."""
    app.add_exception_handler(FindMeError, _domain_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(DBAPIError, _database_error)
    app.add_exception_handler(PoolTimeout, _database_error)
    # Its words are for operators, and in the log.
    app.add_exception_handler(SessionRefused, _database_error)
    for raw in (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
        app.add_exception_handler(raw, _database_error)
    app.add_exception_handler(OSError, _system_error)
    app.add_exception_handler(MemoryError, _system_error)
    app.add_exception_handler(Exception, _surprise)


async def _domain_error(_: Request, error: Exception) -> JSONResponse:
    status = next(
        (STATUS[kind] for kind in type(error).__mro__ if kind in STATUS),
        500,
    )
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, (Locked, TooManyRequests)):
        headers["Retry-After"] = str(error.retry_after_seconds)
    if isinstance(error, (Unavailable, TransientError)):
        seconds = getattr(error, "retry_after_seconds", DEFAULT_RETRY_AFTER_SECONDS)
        headers["Retry-After"] = str(seconds)
        log.warning("unavailable", error=error)
    return JSONResponse({"detail": str(error)}, status_code=status, headers=headers)


async def _invalid_request(_: Request, error: Exception) -> JSONResponse:
    """FastAPI's list without the input: that may be a password, or no valid Unicode.

    Of a value that may be one of several, what each of them lacks is one sentence.
    """
    detail: dict[tuple[str | int, ...], dict[str, object]] = {}
    if isinstance(error, RequestValidationError):
        for problem in error.errors():
            place = _place(problem["loc"], problem["type"], error.body)
            message = _WORDS.get(problem["type"], problem["msg"])
            told = detail.setdefault(place, {"type": problem["type"], "loc": place, "msg": message})
            if message not in str(told["msg"]).split(_OR):
                told["msg"] = f"{told['msg']}{_OR}{message}"
    return JSONResponse({"detail": list(detail.values())}, status_code=422)


def _place(loc: Sequence[str | int], kind: str, body: object) -> tuple[str | int, ...]:
    """Return where in the request something is wrong, as the caller wrote it.

    Pydantic puts in the names of its schemas where a value may be one of several.
    """
    if loc[0] != "body":
        return (*loc[:2], *(part for part in loc[2:] if isinstance(part, int)))
    if kind == "json_invalid":
        return tuple(loc)
    place: list[str | int] = [loc[0]]
    value = body
    for at, part in enumerate(loc[1:], start=1):
        inner = _inner(value, part)
        if inner is not _NOTHING:
            value = inner
        elif kind != "missing" or at < len(loc) - 1:
            continue
        place.append(part)
    return tuple(place)


def _inner(value: object, part: str | int) -> object:
    if isinstance(value, Mapping):
        return value.get(part, _NOTHING)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return _NOTHING


async def _database_error(request: Request, error: Exception) -> JSONResponse:
    if is_conflict(error):
        detail = CONFLICT
    elif is_away(error):
        detail = "The database cannot do this now. Try again in a few seconds."
    elif sqlstate(error).startswith(_DATA_EXCEPTION):
        # Routes refuse such values by what they take; here is who forgot one.
        log.error("value_refused_by_database", sqlstate=sqlstate(error))
        return JSONResponse({"detail": _NO_SUCH_VALUE}, status_code=400)
    else:
        return await _surprise(request, error)
    # Without the statement, whose values may be personal.
    told = error.orig if isinstance(error, DBAPIError) else error
    log.warning("database_unavailable", error=told)
    return JSONResponse(
        {"detail": detail},
        status_code=503,
        headers={"Retry-After": str(DEFAULT_RETRY_AFTER_SECONDS)},
    )


async def _system_error(request: Request, error: Exception) -> JSONResponse:
    """The machine has no more of something, the database's connection, or a surprise."""
    if (what := lacks(error)) is not None:
        return await _domain_error(request, Exhausted(what))
    return await _database_error(request, error)


async def _surprise(request: Request, error: Exception) -> JSONResponse:
    # Not the path: it may hold a code, a name, a signature.
    route = getattr(request.scope.get("route"), "path", "unmatched")
    log.error("unexpected_error", method=request.method, route=route, exc_info=error)
    return JSONResponse(
        {"detail": "Something went wrong on our side. The request's id is in X-Request-ID."},
        status_code=500,
    )
