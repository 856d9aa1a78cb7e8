import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from libs.common.database.migrate import upgrade
from libs.common.database.tables import events, memberships
from libs.common.errors import InvalidInput
from libs.common.rights.event_codes import code_key, code_look
from services.gallery.events.rules import (
    CODE_ALPHABET,
    checked_code,
    generate_code,
)
from tests.gallery.accounts.test_names import schema
from tests.gallery.world import World
from tests.support.databases import Databases


@pytest.mark.parametrize("typed", ["AB12CD", " ab12cd ", "ab 12\tcd", "aB1\u00a02cD\n"])
def test_codes_compare_without_case_and_white_space(typed: str) -> None:
    assert code_key(typed) == "AB12CD"
    assert checked_code(typed).upper() == "AB12CD"


@pytest.mark.parametrize("typed", ["B0OL1IL", "bool1il", "B00L11L", "boolIIl", "ＢＯＯＬ１ＩＬ"])
def test_letters_and_digits_that_look_alike_compare_so(typed: str) -> None:
    assert code_look(typed) == code_look("BOOLIII")


@given(st.text())
def test_a_key_is_its_own_key(typed: str) -> None:
    assert code_key(code_key(typed)) == code_key(typed)


@given(st.text(alphabet="OIL01oil AB\t", max_size=12))
def test_what_is_the_same_code_looks_the_same(typed: str) -> None:
    assert code_look(typed) == code_look(code_key(typed)) == code_look(code_look(typed))


@pytest.mark.parametrize(
    "code", ["SHORT", "X" * 65, "ANNA-MAX", "ÉTÉ2026", "      ", "AB12C\u200b", ""]
)
def test_a_new_code_is_of_letters_and_digits(code: str) -> None:
    with pytest.raises(InvalidInput, match="6 to 64 letters"):
        checked_code(code)


def test_generated_codes_are_eight_letters_and_digits_that_look_like_no_other() -> None:
    codes = {generate_code() for _ in range(200)}
    assert len(codes) == 200
    assert len(CODE_ALPHABET) == 31
    assert not set(CODE_ALPHABET) & set("0O1IL")
    assert all(
        re.fullmatch("[A-Z0-9]{8}", code) and set(code) <= set(CODE_ALPHABET) for code in codes
    )
    assert {code_look(code) for code in codes} == codes


async def is_valid(world: World, code: str) -> bool:
    answer = await world.client.post("/api/check-event-code", json={"event_code": code})
    valid: bool = answer.json()["valid"]
    return valid


async def test_guests_come_in_with_what_they_read(world: World) -> None:
    await world.event(code="OLIVER10")
    for typed in ("0LIVERI0", "oliverlo", " 01 1VER1O"):
        assert await is_valid(world, typed), typed
    assert not await is_valid(world, "0LIVER11")


async def test_older_codes_that_look_alike_stay_apart(databases: Databases) -> None:
    codes = ["OLIVER", "0LIVER", "AB 12", "été", "ABI2"]
    async with databases.empty() as url:
        engine = create_async_engine(url)
        async with engine.begin() as connection:
            await connection.run_sync(schema, "0007")
            await connection.execute(
                text(
                    "INSERT INTO events (name, event_code, code_key, expires_at)"
                    " VALUES ('Gala', :code, :key, now())"
                ),
                [{"code": code, "key": code_key(code)} for code in codes],
            )
        await upgrade(url)
        async with engine.connect() as connection:
            rows = await connection.execute(text("SELECT code_look FROM events ORDER BY id"))
            assert [row.code_look for row in rows] == ["011VER", None, "AB12", "ÉTÉ", None]
        await engine.dispose()


async def test_an_older_code_that_looks_like_anothers_is_found_as_it_is_written(
    world: World,
) -> None:
    first, second = await world.event(code="OLIVER"), await world.event()
    await world.change(events, second, event_code="0LIVER", code_key="0LIVER", code_look=None)
    for typed, event_id in (("oliver", first), ("0liver", second), ("o1iver", first)):
        guest = await world.person()
        joined = await world.client.post("/api/join-event", json=typed, headers=guest.headers)
        assert joined.status_code == 200
        (row,) = [row for row in await world.rows(memberships) if row["user_id"] == guest.id]
        assert row["event_id"] == event_id, typed


async def test_whoever_has_the_code_is_told_what_event_it_is_of_before_they_join(
    world: World,
) -> None:
    event_id = await world.event(code="GALA2026")
    await world.photo(event_id)
    await world.photo(event_id, show_in_general=False)
    answer = await world.client.post("/api/look-up-event", json={"event_code": " gala 2026"})
    told = answer.json()
    assert (told["event_code"], told["photos"]) == ("GALA2026", 1)
    assert set(told) == {
        "name",
        "event_code",
        "date",
        "expires_at",
        "photos",
        "accent",
        "consent_text",
        "cover_url",
    }
    wrong = await world.client.post("/api/look-up-event", json={"event_code": "GALA2027"})
    assert wrong.status_code == 404
