"""The pages that links in mails open."""

import re

import pytest

from libs.common.database.tables import users
from services.gallery.mail.queue import queue_mail
from services.gallery.mail.rules import Template
from services.gallery.pages.pages import FILES
from services.gallery.pages.texts import TEXTS, Page
from tests.gallery.world import World
from tests.support.mailbox import sent_mails

PAGES = ["/api/pages/password-reset", "/api/pages/link", "/api/unsubscribe?token=x"]


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_loads_nothing_from_elsewhere_and_may_not_be_framed(
    world: World, path: str
) -> None:
    answer = await world.client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    for address in re.findall(r'(?:src|href|data-to)="([^"]+)"', answer.text):
        assert address.startswith("/api/")
    assert "<script>" not in answer.text
    assert " style=" not in answer.text
    for address in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        assert (await world.client.get(address)).status_code == 200


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_speaks_the_browsers_language(world: World, path: str) -> None:
    english, french = [
        (await world.client.get(path, headers={"Accept-Language": language})).text
        for language in ("en-GB,en;q=0.8", "fr-CA")
    ]
    assert 'lang="en"' in english
    assert 'lang="fr"' in french
    assert english != french


def test_every_page_is_there_in_both_languages() -> None:
    for texts in TEXTS.values():
        assert texts.keys() == set(Page)


def test_the_script_takes_the_token_out_of_the_address_and_sends_it_by_a_click_only() -> None:
    script = (FILES / "page.js").read_text()
    assert script.index("replaceState") < script.index("addEventListener")
    before_the_click = script[: script.index("addEventListener")]
    assert "fetch" not in before_the_click


async def test_news_end_by_the_link_of_a_mail_without_a_login(world: World) -> None:
    person = await world.person()
    async with world.database.unit_of_work() as unit:
        values = {"event": "Gala", "count": 1, "until": None}
        await queue_mail(
            unit.connection, Template.PHOTOS_AVAILABLE, user_id=person.id, values=values
        )
    [(_, message)] = await sent_mails(world.database)
    url = message["List-Unsubscribe"].strip("<>")
    path = url.removeprefix("https://findme.example")
    # A mail scanner opens it: nothing happens.
    assert (await world.client.get(path)).status_code == 200
    assert (await world.rows(users))[0]["wants_news"]
    # A mail program's one click (RFC 8058).
    answer = await world.client.post(path, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert not (await world.rows(users))[0]["wants_news"]
    assert (await world.client.post(path)).status_code == 200


@pytest.mark.parametrize("token", ["", "1", "1.", "1.00000000000000000000000000000000", "x.y"])
async def test_a_forged_link_ends_nobodys_news(world: World, token: str) -> None:
    await world.person()
    answer = await world.client.post("/api/unsubscribe", params={"token": token})
    assert answer.status_code == 400
    assert (await world.rows(users))[0]["wants_news"]
