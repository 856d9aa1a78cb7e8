"""How a guest's account and session are answered, and what issues the latter."""

from fastapi import Request

from libs.common.accounts.tokens import Tokens
from services.gallery.accounts.login import own_account
from services.gallery.accounts.views import account_view
from services.gallery.gallery import Gallery
from services.gallery.guests.join import Joined
from services.gallery.sessions.sessions import IssuedSession
from services.gallery.web.answers import View


async def opened_view(
    user_id: int, session: IssuedSession | None, message: str, gallery: Gallery
) -> View:
    """Return the session that has begun, if one did, and whose it is."""
    async with gallery.database.read() as connection:
        user = account_view(await own_account(connection, user_id))
    return {
        "message": message,
        "access_token": session.token if session else None,
        "token_type": "bearer",
        "user": user,
    }


async def joined_view(joined: Joined, gallery: Gallery) -> View:
    """Return the same of a guest who has joined, and the event."""
    event = joined.event
    view = await opened_view(joined.user_id, joined.session, f"You are in {event.name}.", gallery)
    return view | {"event_id": event.id, "event_name": event.name}


def tokens_of(request: Request) -> Tokens:
    """Return what issues tokens."""
    tokens: Tokens = request.app.state.tokens
    return tokens
