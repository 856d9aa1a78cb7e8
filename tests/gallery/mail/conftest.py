"""A mail server of the test's own, and the sender of a service that knows it."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest

from libs.common.database.database import Database
from libs.common.settings import CommonSettings
from services.gallery.mail.compose import Composer
from services.gallery.mail.sender import MailSender, SenderSettings
from services.gallery.mail.transport import MailServer, MailTransport, Security, SmtpTransport
from services.gallery.mail.unsubscribe import Unsubscribing
from tests.support.own_role import on_own_role
from tests.support.people import KEYS
from tests.support.rows import Rows
from tests.support.settings import settings_of
from tests.support.smtp_server import SmtpServer, smtp_server

MakeSender = Callable[[MailTransport | None], MailSender]


@pytest.fixture
async def rows(database_url: str) -> AsyncIterator[Rows]:
    async with Database.open(settings_of(CommonSettings, database_url)) as database:
        yield Rows(database)


@pytest.fixture
async def server() -> AsyncIterator[SmtpServer]:
    async with smtp_server() as server:
        yield server


@pytest.fixture
async def to_server(server: SmtpServer) -> AsyncIterator[SmtpTransport]:
    transport = SmtpTransport(
        MailServer("127.0.0.1", server.port, Security.NONE, None, None, timeout_seconds=5)
    )
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(transport.rest)
        yield transport


@pytest.fixture
async def own_database(database_url: str) -> AsyncIterator[Database]:
    """The service's, by its own role."""
    settings = on_own_role(settings_of(CommonSettings, database_url), "gallery")
    async with Database.open(settings) as database:
        yield database


@pytest.fixture
def sender_to(own_database: Database) -> MakeSender:
    def make(transport: MailTransport | None) -> MailSender:
        return MailSender(
            own_database,
            transport,
            Composer(sender="FindMe <photos@findme.example>"),
            Unsubscribing(KEYS),
            SenderSettings("https://findme.example", keep=timedelta(days=30), poll_seconds=0.02),
        )

    return make
