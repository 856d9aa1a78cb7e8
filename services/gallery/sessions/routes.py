"""A person's logins: which there are, and how they end."""

import uuid
from datetime import datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.common.web.auth import CurrentPrincipal
from libs.common.web.openapi import problems
from libs.common.web.session_cookie import forget_session_cookie
from services.gallery.gallery import CurrentGallery
from services.gallery.sessions import repository
from services.gallery.sessions.sessions import end_session, log_out

router = APIRouter(prefix="/api", tags=["accounts"])


class Session(BaseModel):
    """A login on one device."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "4b0e6f1e-6a2c-4b62-9a35-1d5a4b7f0a9e",
                    "label": "Firefox on Android",
                    "created_at": "2026-06-01T12:00:00Z",
                    "last_seen_at": "2026-06-02T08:30:00Z",
                    "expires_at": "2026-06-08T12:00:00Z",
                    "is_current": True,
                }
            ]
        }
    )

    id: uuid.UUID
    label: str = Field(description="The browser and the system, or the program.")
    created_at: datetime
    last_seen_at: datetime = Field(description="Within ten minutes.")
    expires_at: datetime
    is_current: bool = Field(description="Whether it is the one that asks.")


class Logout(BaseModel):
    """Which logins are to end."""

    all: bool = Field(default=False, description="All devices, not only this one.")


class LoggedOut(BaseModel):
    """How many logins have ended."""

    message: str = Field(examples=["You are logged out."])
    ended: int


@router.get("/sessions", operation_id="list_my_sessions")
async def list_sessions(principal: CurrentPrincipal, gallery: CurrentGallery) -> list[Session]:
    """The caller's logins, the one seen last first."""
    async with gallery.database.read() as connection:
        found = await repository.find_sessions(connection, principal.user_id)
    return [
        Session(
            id=session.id,
            label=session.label,
            created_at=session.created_at,
            last_seen_at=session.last_seen_at,
            expires_at=session.expires_at,
            is_current=session.id == principal.session_id,
        )
        for session in found
    ]


@router.delete("/sessions/{session_id}", operation_id="end_session", responses=problems(404))
async def end_one_session(
    session_id: uuid.UUID, principal: CurrentPrincipal, gallery: CurrentGallery
) -> LoggedOut:
    """Log one of the caller's devices out, such as a lost one."""
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            await end_session(principal, session_id, unit=unit)
    return LoggedOut(message="The device is logged out.", ended=1)


@router.post("/logout", operation_id="log_out")
async def logout(
    request: Request,
    response: Response,
    principal: CurrentPrincipal,
    gallery: CurrentGallery,
    asked: Logout | None = None,
) -> LoggedOut:
    """Log the caller out, on all devices if asked to."""
    everywhere = asked is not None and asked.all
    async for attempt in gallery.database.attempts():
        async with attempt as unit:
            ended = await log_out(principal, everywhere=everywhere, unit=unit)
    forget_session_cookie(response, request)
    return LoggedOut(message="You are logged out.", ended=ended)
