"""An event by command: how long it lasts, and how its guests come to it."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.app import app
from libs.common.database.database import Database
from libs.common.settings import CommonSettings
from services.gallery.settings import EventSettings, GallerySettings
from standalone.address import address_of, keep_address
from tests.support.rows import Rows
from tests.support.settings import settings_of

PASSWORD = "Quiet-Lake-12"


@pytest.fixture
def folder(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DATABASE_URL", database_url)
    ann = ["--username", "ann", "--email", "ann@example.org", "--password", PASSWORD]
    assert CliRunner().invoke(app, ["photographer", "create", *ann]).exit_code == 0
    return tmp_path


def create(folder: Path, *arguments: str) -> str:
    command = ["event", "create", "--name", "Gala", "--photographer", "ann", "--code", "GALA2026"]
    done: Result = CliRunner().invoke(app, [*command, *arguments, "--data-dir", str(folder)])
    assert done.exit_code == 0, done.output
    assert "guests join with the code GALA" in done.output
    return done.output


def days_left(database_url: str) -> int:
    async def read() -> datetime:
        async with Database.open(settings_of(CommonSettings, database_url)) as database:
            found = await Rows(database).scalar("SELECT expires_at FROM events")
        assert isinstance(found, datetime)
        return found

    return round((asyncio.run(read()) - datetime.now(UTC)) / timedelta(days=1))


def test_command_and_api_let_events_last_equally_long(folder: Path, database_url: str) -> None:
    create(folder)
    default = GallerySettings.model_fields["event_lifetime_days"].default
    assert days_left(database_url) == default == EventSettings().event_lifetime_days


def test_an_event_is_made_in_a_time_zone(folder: Path, database_url: str) -> None:
    create(folder, "--time-zone", "asia/kathmandu")

    async def read() -> object:
        async with Database.open(settings_of(CommonSettings, database_url)) as database:
            return await Rows(database).scalar("SELECT time_zone FROM events")

    assert asyncio.run(read()) == "Asia/Kathmandu"


def test_the_setting_counts_and_the_command_line_more(
    folder: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVENT_LIFETIME_DAYS", "20")
    create(folder, "--code", "GALA20")
    assert days_left(database_url) == 20


def test_a_lifetime_begins_with_the_events_day(folder: Path, database_url: str) -> None:
    day = datetime.now(UTC).date() + timedelta(days=100)
    create(folder, "--date", f"{day}", "--days", "7")
    assert 106 <= days_left(database_url) <= 107


def test_the_link_leads_to_where_guests_come(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://photos.example.org")
    assert "\nhttps://photos.example.org/e/GALA2026\n" in create(folder)


def test_without_an_address_there_is_no_link_but_what_to_do(folder: Path) -> None:
    told = create(folder)
    assert "/e/" not in told
    assert "PUBLIC_URL" in told


def test_a_link_that_no_phone_opens_says_so_and_is_no_qr_code(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []
    monkeypatch.setattr("cli.events.print_qr", lambda text, _: drawn.append(text))
    keep_address(folder, address_of("http://127.0.0.1:8000"))
    told = create(folder)
    assert "http://127.0.0.1:8000/e/GALA2026 is this machine's own address" in told
    assert drawn == []
    keep_address(folder, address_of("http://192.168.1.20:8000"))
    create(folder, "--code", "GALA2027")
    assert drawn == ["http://192.168.1.20:8000/e/GALA2027"]
