"""What rows hold is personal: no error of the database brings it into a log."""

import traceback

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from libs.common.database.database import Database

INSERT = (
    "INSERT INTO users (username, username_key, email, email_key, password_hash, user_type)"
    " VALUES (:name, :name, :email, :email, '-', :kind)"
)
ANN = {"name": "ann", "email": "ann@example.com", "kind": "user"}


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ({"name": "bob"}, "users_email_key_key"),
        ({"name": "bob", "kind": "none"}, "users_user_type_check"),
    ],
)
async def test_an_error_names_the_constraint_and_no_value_of_the_row(
    database: Database, change: dict[str, str], constraint: str
) -> None:
    async with database.unit_of_work() as unit:
        await unit.connection.execute(text(INSERT), ANN)
    with pytest.raises(DBAPIError) as caught:
        async with database.unit_of_work() as unit:
            await unit.connection.execute(text(INSERT), ANN | change)
    told = "".join(traceback.format_exception(caught.value))
    assert constraint in told
    assert "DETAIL" not in told
    assert ANN["email"] not in told


async def test_an_error_names_the_argument_and_not_its_value(database: Database) -> None:
    unsayable = "ann@example.com \udce9"
    with pytest.raises(DBAPIError) as caught:
        async with database.unit_of_work() as unit:
            await unit.connection.execute(text(INSERT), ANN | {"email": unsayable})
    told = "".join(traceback.format_exception(caught.value))
    assert "query argument $2" in told
    assert ANN["email"] not in told


async def test_an_error_of_data_says_what_it_should_have_been_and_not_what_it_was(
    database: Database,
) -> None:
    number = text("SELECT CAST(CAST(:email AS text) AS int)")
    with pytest.raises(DBAPIError) as caught:
        async with database.read() as connection:
            await connection.execute(number, {"email": ANN["email"]})
    told = "".join(traceback.format_exception(caught.value))
    assert "invalid input syntax for type integer" in told
    assert ANN["email"] not in told
