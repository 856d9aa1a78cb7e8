import asyncio
from collections.abc import Awaitable, Callable

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.database import migrate
from libs.common.database.migrate import MIGRATIONS, upgrade
from libs.common.database.schema import revisions
from libs.common.database.tables import metadata
from tests.support.databases import Databases
from tests.support.polling import eventually


def differences(connection: Connection) -> list[object]:
    options = {"compare_type": True, "compare_server_default": True}
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, metadata))


async def test_the_migrations_make_the_tables_that_the_code_uses(database_url: str) -> None:
    engine = create_async_engine(database_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_migrating_a_database_that_is_up_to_date_changes_nothing(database_url: str) -> None:
    await upgrade(database_url)
    await upgrade(database_url)


def schema(connection: Connection, revision: str) -> None:
    command.upgrade(_config(connection), revision)


def schema_of_before(connection: Connection, revision: str) -> None:
    command.downgrade(_config(connection), revision)


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    return config


#: Of the tables: columns, indexes and constraints, triggers; and the functions that those call.
MADE = text(
    "SELECT c.relname || '.' || attname || ' ' || format_type(atttypid, atttypmod)"
    " || CASE WHEN attnotnull THEN ' not null' ELSE '' END FROM pg_attribute"
    " JOIN pg_class c ON c.oid = attrelid AND relkind = 'r'"
    " WHERE relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped"
    " UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
    " UNION ALL SELECT conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace"
    " UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
    " UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc"
    " WHERE pronamespace = 'public'::regnamespace AND prokind = 'f'"
)


async def test_migrations_of_time_zones_are_taken_back_and_made_again_with_photos_there(
    databases: Databases,
) -> None:
    """One by one: each leaves what was before it, and the photos as their files have them."""
    seen = text("SELECT id, taken_at, taken_at_offset FROM photos ORDER BY id")
    steps = [one for one in revisions() if one >= "0064"]
    async with databases.empty() as url:
        engine = create_async_engine(url)
        made = {}
        for revision in steps:
            async with engine.begin() as connection:
                await connection.run_sync(schema, revision)
                made[revision] = sorted(await connection.scalars(MADE))
        async with engine.begin() as connection:
            await connection.execute(
                text(
                    "WITH event AS (INSERT INTO events (name, event_code, code_key, code_look,"
                    " expires_at, time_zone) VALUES ('Gala', 'a', 'a', 'a', now(), 'Europe/Paris')"
                    " RETURNING id) INSERT INTO photos (event_id, filename, original_filename,"
                    " content_type, sha256, crc32, size_bytes, width, height)"
                    " SELECT id, n, n, 'image/jpeg', '', 0, 1, 4, 3"
                    " FROM event, generate_series(1, 3) n"
                )
            )
            # The trigger asks for the event: it must be there before the photo.
            await connection.execute(
                text(
                    "UPDATE photos SET taken_at = '2026-06-13 14:00',"
                    " taken_at_offset = CASE id % 2 WHEN 0 THEN 60 END WHERE id % 3 > 0"
                )
            )
            before = [tuple(row) for row in await connection.execute(seen)]
            reckoned = await connection.scalar(text("SELECT count(taken_instant) FROM photos"))
        assert reckoned == len([one for one in before if one[1]]) == 2
        for revision in reversed(steps[:-1]):
            async with engine.begin() as connection:
                await connection.run_sync(schema_of_before, revision)
                assert sorted(await connection.scalars(MADE)) == made[revision], revision
                assert [tuple(row) for row in await connection.execute(seen)] == before
        await upgrade(url)
        async with engine.connect() as connection:
            assert sorted(await connection.scalars(MADE)) == made[steps[-1]]
            assert await connection.run_sync(differences) == []
            assert [tuple(row) for row in await connection.execute(seen)] == before
        await engine.dispose()


async def test_thresholds_below_60_are_raised_to_it(databases: Databases) -> None:
    async with databases.empty() as url:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(schema, "0001")
            await connection.execute(text("UPDATE matching_settings SET threshold = 0"))
            await connection.execute(
                text(
                    "INSERT INTO events (name, event_code, code_key, match_threshold, expires_at)"
                    " SELECT 'Gala', t::text, t::text, t, now() FROM unnest(ARRAY[5, 70]) AS t"
                )
            )
        await upgrade(url)
        async with engine.connect() as connection:
            found = await connection.scalars(
                text(
                    "SELECT threshold FROM matching_settings"
                    " UNION ALL SELECT match_threshold FROM events ORDER BY 1"
                )
            )
            assert list(found) == [60, 60, 70]
        await engine.dispose()


async def test_what_is_stored_of_guests_whose_events_are_gone_loses_its_embedding(
    databases: Databases,
) -> None:
    async with databases.empty() as url:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(schema, "0005")
            for number in (1, 2):
                await connection.execute(
                    text(
                        "WITH guest AS (INSERT INTO users (username, email, password_hash,"
                        f" user_type) VALUES ('{number}', '{number}', '', 'user') RETURNING id)"
                        " INSERT INTO selfies (user_id, filename, object_key, content_type,"
                        " sha256, size_bytes, engine, embedding)"
                        " SELECT id, id, id, '', '', 0, 'one', 'face' FROM guest"
                    )
                )
            await connection.execute(
                text(
                    "WITH event AS (INSERT INTO events (name, event_code, code_key, expires_at)"
                    " VALUES ('Gala', 'a', 'a', now()) RETURNING id)"
                    " INSERT INTO memberships (user_id, event_id)"
                    " SELECT min(user_id), (SELECT id FROM event) FROM selfies"
                )
            )
        await upgrade(url)
        async with engine.connect() as connection:
            found = await connection.execute(
                text("SELECT engine, embedding FROM selfies ORDER BY id")
            )
            assert [tuple(row) for row in found] == [("one", b"face"), (None, None)]
        await engine.dispose()


async def test_it_waits_for_the_release_that_serves_and_neither_gives_the_other_up(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A transaction that has read photos writes them while the migration wants them for itself."""
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 1)
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.05)
    wanted = text(
        "SELECT count(*) FROM pg_locks WHERE relation = 'photos'::regclass AND NOT granted"
    )
    async with databases.empty() as url:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(schema, "0001")
        async with engine.connect() as serving, engine.connect() as watching:
            await serving.execute(text("SELECT id FROM photos FOR KEY SHARE"))
            migrating = asyncio.create_task(upgrade(url))
            for _ in range(2):  # it lets go in between, so that others get their turn

                async def waits() -> bool:
                    return bool(await watching.scalar(wanted))

                await eventually(waits)
                await eventually(lambda: not_waiting(waits))
            await serving.execute(text("UPDATE photos SET processing_status = 'done'"))
            await serving.commit()
            await migrating
            await watching.rollback()
            assert await watching.run_sync(differences) == []
        await engine.dispose()


async def test_a_migration_that_was_in_a_deadlock_is_tried_again(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.05)
    async with databases.empty() as url:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(schema, "0068")
            # As whoever is chosen is told; a sequence counts on where the rest is taken back.
            await connection.execute(text("CREATE SEQUENCE tries"))
            await connection.execute(
                text(
                    "CREATE FUNCTION give_up() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
                    " IF nextval('tries') = 1 THEN"
                    " RAISE 'deadlock detected' USING ERRCODE = '40P01'; END IF; END $$"
                )
            )
            await connection.execute(
                text(
                    "CREATE EVENT TRIGGER give_up ON ddl_command_start"
                    " WHEN TAG IN ('DROP INDEX') EXECUTE FUNCTION give_up()"
                )
            )
        await upgrade(url)
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT last_value FROM tries")) > 1
            await connection.execute(text("DROP SEQUENCE tries"))
            assert await connection.run_sync(differences) == []
        await engine.dispose()


async def test_no_migration_that_makes_an_index_of_photos_wants_them_for_itself_then(
    databases: Databases,
) -> None:
    """Who has read photos by then, and writes them, would be in a deadlock with it."""
    async with databases.empty() as url:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(schema, "0064")
        locks = {}
        for revision in (one for one in revisions() if one > "0064"):
            async with engine.begin() as connection:
                await connection.run_sync(schema, revision)
                locks[revision] = set(
                    await connection.scalars(
                        text(
                            "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid()"
                            " AND relation = 'photos'::regclass"
                        )
                    )
                )
        assert "ShareLock" in locks["0067"]
        assert "AccessExclusiveLock" in locks["0069"]
        both = {"ShareLock", "AccessExclusiveLock"}
        assert [one for one, held in locks.items() if held >= both] == []
        await engine.dispose()


async def not_waiting(waits: Callable[[], Awaitable[bool]]) -> bool:
    return not await waits()
