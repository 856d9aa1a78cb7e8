"""The one table that turns errors into HTTP answers."""

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from libs.common.database.connections import SessionRefused
from libs.common.database.sqlstates import is_away, is_conflict
from libs.common.database.transactions import CONFLICT
from libs.common.errors import (
    Conflict,
    FindMeError,
    InvalidInput,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    TooLarge,
    TransientError,
    Unavailable,
)
from libs.common.exhaustion import Exhausted, lacks

log = structlog.get_logger(__name__)

#: The most specific class of an error decides.
STATUS: dict[type[Exception], int] = {
    TooLarge: 413,
    InvalidInput: 400,
    NotAuthenticated: 401,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    Unavailable: 503,
    TransientError: 503,
}
DEFAULT_RETRY_AFTER_SECONDS = 5


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
    if status == 503:
        seconds = getattr(error, "retry_after_seconds", DEFAULT_RETRY_AFTER_SECONDS)
        headers["Retry-After"] = str(seconds)
        log.warning("unavailable", error=str(error), kind=type(error).__name__)
    return JSONResponse({"detail": str(error)}, status_code=status, headers=headers)


async def _invalid_request(_: Request, error: Exception) -> JSONResponse:
    """FastAPI's list without the input: that may be a password, or no valid Unicode."""
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    detail = [{key: problem[key] for key in ("type", "loc", "msg")} for problem in problems]
    return JSONResponse({"detail": detail}, status_code=422)


async def _database_error(request: Request, error: Exception) -> JSONResponse:
    if is_conflict(error):
        detail = CONFLICT
    elif is_away(error):
        detail = "The database cannot do this now. Try again in a few seconds."
    else:
        return await _surprise(request, error)
    # Without the statement, whose values may be personal.
    told = error.orig if isinstance(error, DBAPIError) else error
    log.warning("database_unavailable", error=str(told), kind=type(told).__name__)
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
    log.error("unexpected_error", path=request.url.path, exc_info=error)
    return JSONResponse(
        {"detail": "Something went wrong on our side. The request's id is in X-Request-ID."},
        status_code=500,
    )
