"""Mails are sent, tried again, and given up: a real queue, a real mail server."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from libs.common import tasks
from libs.common.database.tables import account_links, mails, users
from services.gallery.links.rules import hash_of
from services.gallery.mail.queue import queue_mail, queue_mail_to_address
from services.gallery.mail.repository import revive_mails
from services.gallery.mail.rules import Template
from services.gallery.mail.sender import MailSender
from services.gallery.mail.transport import (
    FolderTransport,
    MailServer,
    MailServerAway,
    Security,
    SmtpTransport,
)
from tests.gallery.mail.conftest import MakeSender
from tests.support.people import Person
from tests.support.polling import eventually
from tests.support.rows import Rows
from tests.support.smtp_server import SmtpServer, smtp_server, tls_contexts

NEWS = {"event": "Gala", "count": 2, "until": None}


async def queued(
    rows: Rows, person: Person, template: Template = Template.PASSWORD_CHANGED, **values: object
) -> bool:
    async with rows.database.unit_of_work() as unit:
        return await queue_mail(unit.connection, template, user_id=person.id, values=values)


async def all_mails(rows: Rows) -> list[Any]:
    async with rows.database.read() as connection:
        return list(await connection.execute(select(mails).order_by(mails.c.id)))


async def due_at_once(rows: Rows) -> None:
    """As if the pause were over."""
    await rows.execute(update(mails).values(next_attempt_at=text("now()")))


async def are_sent(rows: Rows) -> bool:
    return {row.status for row in await all_mails(rows)} == {"sent"}


def address(person: Person) -> str:
    return f"{person.name}@example.org"


@contextlib.asynccontextmanager
async def running(*senders: MailSender) -> AsyncIterator[None]:
    at_work = [asyncio.create_task(sender.run()) for sender in senders]
    try:
        yield
    finally:
        await tasks.end(*at_work)


async def test_a_mail_is_sent_once_and_only_the_proof_is_kept(
    rows: Rows, server: SmtpServer, to_server: SmtpTransport, sender_to: MakeSender
) -> None:
    person = await rows.person(language="fr")
    assert await queued(rows, person, Template.PHOTOS_AVAILABLE, **NEWS)
    sender = sender_to(to_server)
    assert await sender.send_next()
    assert not await sender.send_next()
    [message] = server.letters(address(person))
    assert message["Subject"] == "2 nouvelles photos de vous : Gala"
    assert message["From"] == "FindMe <photos@findme.example>"
    [row] = await all_mails(rows)
    assert (row.status, row.content, row.attempts, row.recipient) == (
        "sent",
        None,
        1,
        address(person),
    )


async def test_a_mail_is_part_of_the_transaction_that_causes_it(rows: Rows) -> None:
    person = await rows.person()
    with contextlib.suppress(ZeroDivisionError):
        async with rows.database.unit_of_work() as unit:
            await queue_mail(unit.connection, Template.PASSWORD_CHANGED, user_id=person.id)
            raise ZeroDivisionError
    assert await all_mails(rows) == []


async def test_nothing_is_queued_for_whom_no_mail_reaches(rows: Rows) -> None:
    closed = await rows.person(is_active=False)
    odd = await rows.person(email="odd@@example.org")
    assert not await queued(rows, closed)
    assert not await queued(rows, odd)
    assert await all_mails(rows) == []


async def test_a_link_is_made_as_the_mail_is_sent_and_stored_as_a_hash_only(
    rows: Rows, server: SmtpServer, to_server: SmtpTransport, sender_to: MakeSender
) -> None:
    person = await rows.person()
    async with rows.database.unit_of_work() as unit:
        await queue_mail_to_address(
            unit.connection,
            Template.PASSWORD_RESET,
            address(person).upper(),
            key=address(person),
            language="en",
        )
    assert await rows.scalar("SELECT count(*) FROM account_links") == 0
    await sender_to(to_server).send_next()
    body = server.taken[0].get_body(("plain",))
    assert body is not None
    link = next(line for line in body.get_content().splitlines() if "#token=" in line)
    page, _, token = link.partition("#token=")
    assert page == "https://findme.example/api/pages/password-reset"
    assert len(token) >= 43
    async with rows.database.read() as connection:
        [row] = await connection.execute(select(account_links))
    assert (row.user_id, row.token_hash) == (person.id, hash_of(token))
    assert token.encode() not in row.token_hash


async def test_a_mail_to_an_address_without_an_account_is_forgotten(
    rows: Rows, server: SmtpServer, to_server: SmtpTransport, sender_to: MakeSender
) -> None:
    async with rows.database.unit_of_work() as unit:
        await queue_mail_to_address(
            unit.connection,
            Template.PASSWORD_RESET,
            "nobody@example.org",
            key="nobody@example.org",
            language="en",
        )
    assert await sender_to(to_server).send_next()
    assert server.taken == []
    assert await all_mails(rows) == []


async def test_news_are_not_sent_to_whom_has_unsubscribed_meanwhile(
    rows: Rows, server: SmtpServer, to_server: SmtpTransport, sender_to: MakeSender
) -> None:
    person = await rows.person()
    await queued(rows, person, Template.PHOTOS_AVAILABLE, **NEWS)
    await queued(rows, person)
    await rows.execute(update(users).values(wants_news=False))
    sender = sender_to(to_server)
    while await sender.send_next():
        pass
    assert [message["Subject"] for message in server.taken] == ["Your password was changed"]


async def test_a_server_that_asks_to_come_back_is_asked_again_after_a_pause(
    rows: Rows, server: SmtpServer, to_server: SmtpTransport, sender_to: MakeSender
) -> None:
    await queued(rows, await rows.person())
    server.answer = lambda verb, _: "450 4.2.0 greylisted" if verb == "RCPT" else None
    sender = sender_to(to_server)
    assert await sender.send_next()
    assert not await sender.send_next()  # it is not due
    [row] = await all_mails(rows)
    assert (row.status, row.attempts, row.error) == ("waiting", 1, "450 4.2.0 greylisted")
    pause = "SELECT extract(epoch FROM next_attempt_at - now())::float8 FROM mails"
    assert await rows.scalar(pause) > 50
    server.answer = lambda *_: None
    await due_at_once(rows)
    await sender.send_next()
    assert len(server.taken) == 1


@pytest.mark.parametrize("verb", ["RCPT", "MESSAGE"])
async def test_a_refusal_is_final_is_kept_with_its_reason_and_holds_up_no_other(
    rows: Rows, server: SmtpServer, to_server: SmtpTransport, sender_to: MakeSender, verb: str
) -> None:
    bad, good = await rows.person(), await rows.person()
    await queued(rows, bad)
    await queued(rows, good)
    seen: list[str] = []

    def answer(command: str, _line: str) -> str | None:
        if command != verb or seen:
            return None
        seen.append(command)
        return "550 5.1.1 no such mailbox"

    server.answer = answer
    sender = sender_to(to_server)
    while await sender.send_next():
        pass
    dead, sent = await all_mails(rows)
    assert (dead.status, dead.error) == ("dead", "550 5.1.1 no such mailbox")
    assert sent.status == "sent"
    assert server.letters(address(good))
    assert not server.letters(address(bad))
    # An operator has it sent again.
    async with rows.database.unit_of_work() as unit:
        assert await revive_mails(unit.connection) == 1
    await sender.send_next()
    assert server.letters(address(bad))


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        ("CONNECT", "421 too busy"),
        ("CONNECT", ""),
        ("EHLO", ""),
        ("MAIL", "550 5.7.1 not from there"),
        ("RCPT", "421 closing"),
        ("RCPT", ""),
        ("MESSAGE", ""),
    ],
)
async def test_a_server_that_is_away_costs_no_mail_an_attempt(
    rows: Rows,
    server: SmtpServer,
    to_server: SmtpTransport,
    sender_to: MakeSender,
    verb: str,
    words: str,
) -> None:
    await queued(rows, await rows.person())
    server.answer = lambda command, _: words if command == verb else None
    sender = sender_to(to_server)
    for _ in range(2):
        with pytest.raises(MailServerAway):
            await sender.send_next()
    [row] = await all_mails(rows)
    assert (row.status, row.attempts) == ("waiting", 0)
    server.answer = lambda *_: None
    assert await sender.send_next()
    assert len(server.taken) == 1


async def test_a_server_that_says_nothing_is_waited_for_no_longer_than_allowed(
    rows: Rows, server: SmtpServer, sender_to: MakeSender
) -> None:
    await queued(rows, await rows.person())
    server.is_silent = True
    impatient = SmtpTransport(
        MailServer("127.0.0.1", server.port, Security.NONE, None, None, timeout_seconds=0.1)
    )
    with pytest.raises(MailServerAway):
        await sender_to(impatient).send_next()


async def test_mails_wait_while_the_server_is_down_and_go_when_it_is_there(
    rows: Rows, sender_to: MakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.mail.sender.FIRST_AWAY_SECONDS", 0.01)
    monkeypatch.setattr("services.gallery.mail.sender.MAX_AWAY_SECONDS", 0.05)
    async with smtp_server() as gone:
        port = gone.port
    transport = SmtpTransport(MailServer("127.0.0.1", port, Security.NONE, None, None))
    people = [await rows.person() for _ in range(3)]
    for person in people:
        await queued(rows, person)

    async def was_tried() -> bool:
        return any(row.error for row in await all_mails(rows))

    async with running(sender_to(transport)):
        await eventually(was_tried)
        async with smtp_server(port=port) as server:
            await eventually(lambda: are_sent(rows))
    assert sorted(server.recipients) == sorted(address(person) for person in people)


async def test_several_senders_share_the_mails_and_send_each_once(
    rows: Rows, server: SmtpServer, sender_to: MakeSender
) -> None:
    for _ in range(12):
        await queued(rows, await rows.person())
    transports = [
        SmtpTransport(MailServer("127.0.0.1", server.port, Security.NONE, None, None))
        for _ in range(3)
    ]
    async with running(*(sender_to(transport) for transport in transports)):
        await eventually(lambda: are_sent(rows))
    assert len(server.taken) == len(set(server.recipients)) == 12
    # One conversation for many mails.
    assert server.connections <= 6


async def test_a_mail_whose_sender_died_is_taken_over_with_the_same_message_id(
    rows: Rows, server: SmtpServer, to_server: SmtpTransport, sender_to: MakeSender
) -> None:
    await queued(rows, await rows.person())
    sender = sender_to(to_server)
    await sender.send_next()
    await rows.execute(update(mails).values(status="waiting", content={}))
    assert not await sender.send_next()  # the lease is not over
    await due_at_once(rows)
    assert await sender.send_next()
    assert len({message["Message-ID"] for message in server.taken}) == 1
    assert len(server.taken) == 2


async def test_what_cannot_be_sent_in_time_is_given_up_and_counted(
    rows: Rows, sender_to: MakeSender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.gallery.mail.sender.SWEEP_SECONDS", 0.0)
    await queued(rows, await rows.person())
    await rows.execute(update(mails).values(useless_at=text("now()")))

    async def is_dead() -> bool:
        [row] = await all_mails(rows)
        return bool(row.status == "dead" and row.error == "not sent in time; never tried")

    async with running(sender_to(None)):
        await eventually(is_dead)


async def test_a_mail_that_cannot_be_written_is_given_up(
    rows: Rows, server: SmtpServer, to_server: SmtpTransport, sender_to: MakeSender
) -> None:
    await queued(rows, await rows.person(), Template.PHOTOS_AVAILABLE)  # without its values
    sender = sender_to(to_server)
    assert await sender.send_next()
    [row] = await all_mails(rows)
    assert (row.status, row.error) == ("dead", "not composed: UndefinedError")
    assert server.taken == []


async def test_finished_mails_and_old_links_are_forgotten(
    rows: Rows, server: SmtpServer, to_server: SmtpTransport, sender_to: MakeSender
) -> None:
    person = await rows.person()
    await queued(rows, person)
    await queued(rows, person, Template.OPEN_ACCOUNT)
    sender = sender_to(to_server)
    while await sender.send_next():
        pass
    await rows.execute(update(mails).values(finished_at=text("now() - interval '31 days'")))
    await rows.execute(update(account_links).values(expires_at=text("now() - interval '1 day'")))
    async with running(sender):

        async def are_gone() -> bool:
            links = await rows.scalar("SELECT count(*) FROM account_links")
            return links == 0 and await all_mails(rows) == []

        await eventually(are_gone)


@pytest.mark.parametrize("security", [Security.STARTTLS, Security.TLS])
async def test_the_way_is_encrypted_and_somebody_logs_in(
    rows: Rows, sender_to: MakeSender, tmp_path: Path, security: Security
) -> None:
    server_tls, client_tls = tls_contexts(tmp_path)
    await queued(rows, await rows.person())
    login = ("findme", "Secret-12")
    is_implicit = security is Security.TLS
    async with smtp_server(tls=server_tls, login=login, is_implicit=is_implicit) as server:

        def transport(password: str, tls: ssl.SSLContext | None) -> SmtpTransport:
            return SmtpTransport(
                MailServer("127.0.0.1", server.port, security, login[0], password, tls=tls)
            )

        with pytest.raises(MailServerAway, match="535"):
            await sender_to(transport("Wrong-12", client_tls)).send_next()
        with pytest.raises(MailServerAway, match="certificate"):
            await sender_to(transport(login[1], None)).send_next()
        assert server.taken == []
        right = transport(login[1], client_tls)
        await sender_to(right).send_next()
        await right.rest()
        assert len(server.taken) == 1
        assert server.was_encrypted


async def test_without_encryption_where_it_was_asked_for_nothing_is_sent(
    rows: Rows, server: SmtpServer, sender_to: MakeSender
) -> None:
    await queued(rows, await rows.person())
    transport = SmtpTransport(
        MailServer("127.0.0.1", server.port, Security.STARTTLS, None, None, timeout_seconds=5)
    )
    with pytest.raises(MailServerAway, match="STARTTLS extension not supported"):
        await sender_to(transport).send_next()
    assert server.taken == []


async def test_without_a_server_mails_are_files_that_only_their_owner_reads(
    rows: Rows, sender_to: MakeSender, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "mail"
    await queued(rows, await rows.person(), Template.OPEN_ACCOUNT)
    assert await sender_to(FolderTransport(folder, keep_seconds=3600)).send_next()
    [file] = folder.iterdir()
    assert file.suffix == ".eml"
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    assert b"#token=" in file.read_bytes().replace(b"=\r\n", b"").replace(b"=3D", b"=")


async def test_old_files_go(rows: Rows, sender_to: MakeSender, tmp_path: Path) -> None:
    transport = FolderTransport(tmp_path, keep_seconds=-1)
    person = await rows.person()
    for _ in range(2):
        await queued(rows, person)
        assert await sender_to(transport).send_next()
    assert len(list(os.scandir(tmp_path))) == 1


async def test_a_folder_that_cannot_be_written_is_a_server_that_is_away(
    rows: Rows, sender_to: MakeSender, tmp_path: Path
) -> None:
    (tmp_path / "mail").write_text("no folder")
    await queued(rows, await rows.person())
    with pytest.raises(MailServerAway):
        await sender_to(FolderTransport(tmp_path / "mail", keep_seconds=1)).send_next()


@pytest.mark.parametrize("refusal", [None, "550 5.1.1 no such mailbox"])
async def test_a_mail_that_was_asked_for_by_an_address_goes_with_the_account_it_was_for(
    rows: Rows,
    server: SmtpServer,
    to_server: SmtpTransport,
    sender_to: MakeSender,
    refusal: str | None,
) -> None:
    person = await rows.person()
    async with rows.database.unit_of_work() as unit:
        await queue_mail_to_address(
            unit.connection,
            Template.PASSWORD_RESET,
            address(person).upper(),
            key=address(person),
            language="en",
        )
    server.answer = lambda command, _line: refusal if command == "RCPT" else None
    assert await sender_to(to_server).send_next()
    [mail] = await all_mails(rows)
    assert (mail.status, mail.user_id) == ("dead" if refusal else "sent", person.id)
    await rows.delete(users, person.id)
    assert await all_mails(rows) == []


async def test_an_accounts_mails_go_with_it(rows: Rows) -> None:
    person = await rows.person()
    await queued(rows, person)
    await rows.delete(users, person.id)
    assert await all_mails(rows) == []
