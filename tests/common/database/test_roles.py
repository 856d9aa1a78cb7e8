"""Each service's role in PostgreSQL has the rights that its service needs, and no others."""

import base64

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import make_url

from libs.common.database import tables
from libs.common.database.migrate import upgrade
from libs.common.database.roles import GRANTS, ServiceRole, scram_verifier
from libs.common.errors import InvalidInput
from tests.support.databases import Databases, as_service
from tests.support.polling import PATIENCE_SECONDS
from tests.support.postgres import plain_url


async def told(url: str, statement: str) -> str:
    """What PostgreSQL answers: the value, or the kind of the error."""
    connection = await asyncpg.connect(plain_url(make_url(url)), timeout=PATIENCE_SECONDS)
    try:
        return str(await connection.fetchval(statement))
    except asyncpg.PostgresError as error:
        return type(error).__name__
    finally:
        await connection.close()


REFUSED = asyncpg.InsufficientPrivilegeError.__name__


@pytest.mark.parametrize("service", ["ingest", "recognition", "media"])
@pytest.mark.parametrize("column", ["password_hash", "email", "username"])
async def test_only_the_gallery_reads_who_people_are(
    service: str, column: str, database_url: str
) -> None:
    statement = f"SELECT {column} FROM users"
    assert await told(as_service(database_url, service), statement) == REFUSED
    assert await told(as_service(database_url, "gallery"), statement) == "None"


@pytest.mark.parametrize("service", GRANTS)
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE own ()",
        "DROP TABLE users",
        "TRUNCATE outbox",
        "INSERT INTO erasures (kind, key) VALUES ('photos', 'x')",
        "UPDATE audit SET action = 'nothing'",
        "ALTER TABLE audit DISABLE TRIGGER ALL",
        "CREATE ROLE another",
        "COPY users TO PROGRAM 'cat'",
        "SELECT pg_read_file('PG_VERSION')",
    ],
)
async def test_no_service_may(service: str, statement: str, database_url: str) -> None:
    assert await told(as_service(database_url, service), statement) == REFUSED


async def test_rights_that_are_needed_no_longer_are_taken_away(databases: Databases) -> None:
    async with databases.fresh() as url:
        await told(url, "GRANT ALL ON users TO findme_media")
        role = ServiceRole.of_url("media", as_service(url, "media"))
        await upgrade(url, roles=[role])
        assert await told(as_service(url, "media"), "SELECT email FROM users") == REFUSED
        assert await told(as_service(url, "media"), "SELECT count(id) FROM users") == "0"


async def test_who_may_make_no_roles_is_told_which_one_is_missing(databases: Databases) -> None:
    async with databases.fresh() as url:
        await told(url, "CREATE ROLE no_maker LOGIN PASSWORD 'findme'")
        await told(url, "GRANT ALL ON ALL TABLES IN SCHEMA public TO no_maker")
        own = make_url(url).set(username="no_maker", password="findme")
        missing = ServiceRole("media", "nobody_made_me", "secret")
        with pytest.raises(InvalidInput, match="nobody_made_me does not exist"):
            await upgrade(own.render_as_string(hide_password=False), roles=[missing])


def test_every_table_that_is_named_is_there() -> None:
    named = {table for rights in GRANTS.values() for table in rights}
    assert named <= set(tables.metadata.tables)


@given(st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1))
def test_a_verifier_has_its_form_and_says_nothing_of_the_password(password: str) -> None:
    verifier = scram_verifier(password)
    assert verifier.startswith("SCRAM-SHA-256$4096:")
    assert scram_verifier(password) != verifier


def test_a_verifier_is_what_postgresql_computes() -> None:
    # The user, salt and count of the example in RFC 7677.
    verifier = scram_verifier("pencil", salt=base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    assert verifier == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
        ":wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_a_password_that_would_need_normalising_is_refused() -> None:
    with pytest.raises(InvalidInput, match="must be ASCII"):
        scram_verifier("pässword")
