"""How often mails with links are asked for, and links are tried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from libs.common.errors import NotFound
from libs.common.limits.budgets import MAILS_OF_ADDRESS, MAILS_TO_ADDRESSEE, WRONG_LINKS
from libs.common.limits.limiter import Limiter
from libs.common.limits.source import caller_source
from services.gallery.accounts.names import email_key


async def may_ask_for_mail(address: str, *, limiter: Limiter) -> None:
    """Raises TooManyRequests where too many were asked for, whether or not anybody gets them."""
    await limiter.spend(
        MAILS_OF_ADDRESS.of(caller_source()), MAILS_TO_ADDRESSEE.of(email_key(address))
    )


@asynccontextmanager
async def guessing_link(limiter: Limiter) -> AsyncIterator[None]:
    """Let somebody try a link; one that was never given to anybody counts. TooManyRequests."""
    async with limiter.guess(WRONG_LINKS.of(caller_source())) as guess:
        try:
            yield
        except NotFound:
            guess.missed()
            raise
