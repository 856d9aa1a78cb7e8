from pathlib import Path

import pytest

from libs.common.setting_files import SettingUnreadable
from libs.common.settings import CommonSettings
from standalone.settings import StandaloneSettings

URL = "postgresql://findme:password@db/findme"
SECRET = "a secret that is used by the tests only"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "SECRET_KEY", "AMQP_URL"):
        monkeypatch.delenv(name, raising=False)


def written(path: Path, content: str) -> str:
    path.write_text(content)
    return str(path)


def test_a_setting_can_be_the_content_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL_FILE", written(tmp_path / "url", f"{URL}\n"))
    monkeypatch.setenv("SECRET_KEY_FILE", written(tmp_path / "key", SECRET))
    monkeypatch.setenv("DB_POOL_SIZE_FILE", written(tmp_path / "size", "7\r\n"))
    settings = CommonSettings()
    assert (settings.database_url, settings.db_pool_size) == (URL, 7)
    assert settings.secret_key.get_secret_value() == SECRET


def test_the_operators_command_reads_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL_FILE", written(tmp_path / "url", URL))
    monkeypatch.setenv("RETRY_DELAYS_SECONDS_FILE", written(tmp_path / "delays", "1,2"))
    settings = StandaloneSettings()
    assert (settings.database_url, settings.retry_delays_seconds) == (URL, (1, 2))


def test_an_empty_variable_beside_the_file_counts_as_unset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("DATABASE_URL_FILE", written(tmp_path / "url", URL))
    monkeypatch.setenv("AMQP_URL_FILE", "")
    assert CommonSettings(secret_key=SECRET).database_url == URL


def test_two_answers_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", SECRET)
    monkeypatch.setenv("SECRET_KEY_FILE", written(tmp_path / "key", SECRET))
    with pytest.raises(SettingUnreadable, match="both set"):
        CommonSettings()


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "No such file"), (b"\n", "is empty"), (b"\xff\xfe", "not text")],
)
def test_a_file_of_no_use_is_refused_by_the_variables_name(
    content: bytes | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("SECRET_KEY_FILE", str(path))
    with pytest.raises(SettingUnreadable, match=f"SECRET_KEY_FILE.*{message}"):
        CommonSettings()
