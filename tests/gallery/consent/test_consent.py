import hashlib

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.consent import TEXTS, VERSION, known_language
from libs.common.database.consents import consents_of, give_consent
from libs.common.database.migrate import upgrade
from libs.common.database.tables import audit, consents, users
from tests.gallery.accounts.test_names import schema
from tests.gallery.world import World
from tests.support.databases import Databases

#: A text that says something else than this is another version.
DIGESTS = {
    "2026-11-28": "7da6d430fa85e7fdd24418fdfc990d1686c67d296b86434f43dac1dcb420fa42",
}


def test_a_text_that_is_changed_has_another_version() -> None:
    said = "\n".join(TEXTS[language] for language in sorted(TEXTS))
    assert hashlib.sha256(said.encode()).hexdigest() == DIGESTS[VERSION]


def test_a_browsers_language_is_taken_where_there_is_a_text() -> None:
    wanted = {"fr-CH, fr;q=0.9, en;q=0.8": "fr", "de, fr;q=0.5": "fr", "de": "en", "": "en"}
    for header, language in wanted.items():
        assert known_language(header) == language
    assert known_language(None) == "en"


async def test_the_text_is_shown_in_the_visitors_language(world: World) -> None:
    for query, header, language in (("", "fr-FR", "fr"), ("?language=en", "fr", "en")):
        answer = await world.client.get(f"/api/consent{query}", headers={"Accept-Language": header})
        assert answer.json() == {
            "version": VERSION,
            "language": language,
            "text": TEXTS[language],
            "languages": ["en", "fr"],
        }


async def test_it_is_asked_for_again_when_the_text_has_changed(world: World) -> None:
    guest = await world.person()
    asked = await world.client.get("/api/me/consent", headers=guest.headers)
    assert asked.json() == {"version": VERSION, "is_current": False, "given": None}
    older = {"user_id": guest.id, "version": "2020-01-01", "language": "fr", "given_by": "selfie"}
    await world.insert(consents, older)
    asked = await world.client.get("/api/me/consent", headers=guest.headers)
    assert (asked.json()["is_current"], asked.json()["given"]["version"]) == (False, "2020-01-01")
    outdated = await world.client.post(
        "/api/me/consent", json={"version": "2020-01-01"}, headers=guest.headers
    )
    assert outdated.status_code == 409
    assert VERSION in outdated.json()["detail"]
    given = await world.client.post(
        "/api/me/consent", json={"version": VERSION, "language": "fr"}, headers=guest.headers
    )
    assert given.status_code == 200, given.text
    assert given.json()["is_current"]
    assert given.json()["given"] | {"given_at": ""} == {
        "version": VERSION,
        "language": "fr",
        "given_by": "asked",
        "given_at": "",
    }
    (row,) = await world.rows(audit)
    assert (row["action"], row["account_id"]) == ("consent.given", guest.id)


async def test_it_goes_with_the_account(world: World) -> None:
    guest = await world.person()
    async with world.database.unit_of_work() as unit:
        await give_consent(
            unit.connection, guest.id, version=VERSION, language=None, given_by="join"
        )
        assert len(await consents_of(unit.connection, guest.id)) == 1
    await world.delete(users, guest.id)
    assert await world.rows(consents) == []


async def test_selfies_from_before_were_consents_to_no_version(databases: Databases) -> None:
    async with databases.empty() as url:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(schema, "0007")
            await connection.execute(
                text(
                    "WITH guest AS (INSERT INTO users (username, email, password_hash, user_type)"
                    " VALUES ('ann', 'ann', '', 'user') RETURNING id)"
                    " INSERT INTO selfies (user_id, filename, object_key, content_type, sha256,"
                    " size_bytes, consented_at)"
                    " SELECT id, '', '', '', '', 0, '2025-01-01T00:00:00Z' FROM guest"
                )
            )
        await upgrade(url)
        async with engine.connect() as connection:
            rows = await connection.execute(
                text("SELECT version, given_by, extract(year FROM given_at) FROM consents")
            )
            assert [tuple(row) for row in rows] == [("unversioned", "selfie", 2025)]
        await engine.dispose()
