"""Settings that are wrong end every command with a sentence for each, and no traceback."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from backup.place import ObjectSettings
from cli import models
from cli.app import app
from cli.bucket import BucketSettings
from cli.migrate import RoleSettings
from libs.common.setting_files import FileOrVariableSettings, WrongSettings
from services.gallery.settings import GallerySettings
from services.ingest.settings import IngestSettings
from services.media.settings import MediaSettings
from services.recognition.settings import RecognitionSettings
from standalone.app import standalone_app
from standalone.data_dir import NoDataDir
from standalone.postgres import NoData
from standalone.settings import StandaloneSettings

WRONG = {
    "status": ("LOG_LEVEL", "loud"),
    "sweep": ("PORT", "abc"),
    "partitions": ("DATABASE_URL", "mysql://x"),
    "migrate": ("AMQP_URL", "http://x"),
    "bucket": ("S3_ENDPOINT_URL", "notaurl"),
    "dlq list": ("HSTS_SECONDS", "-1"),
    "mail status": ("MAX_CONNECTIONS", "0"),
    "models list": ("METRICS_ALLOW_IPS", "everybody"),
    "backup x": ("MAIL_PORT", "0"),
    "up": ("LIMITS_SCALE", "0"),
    "demo": ("OIDC_ISSUER", "ftp://x"),
}
#: Of the services that `findme up` runs, which are no settings of its own.
WRONG_IN_SERVICES = {
    "ARCHIVES_AT_ONCE": "0",
    "SELFIE_ROOM_MB": "1",
    "SELFIE_CHECK_KEPT_SECONDS": "-1",
    "LIST_CACHE_MB": "-1",
    "RENDITION_QUEUE_LIMIT": "-1",
    "UPLOAD_STALL_SECONDS": "71",
}
CLASSES: list[type[FileOrVariableSettings]] = [
    *(GallerySettings, IngestSettings, MediaSettings, RecognitionSettings),
    *(StandaloneSettings, ObjectSettings, BucketSettings, RoleSettings),
]


@pytest.mark.parametrize("command", WRONG)
def test_a_command_names_the_setting_that_is_wrong(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, value = WRONG[command]
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("PHOTO_BUCKET_NAME", "photos")
    ended = CliRunner().invoke(app, command.split())
    assert isinstance(ended.exception, WrongSettings), ended.exception
    (line,) = str(ended.exception).splitlines()
    assert line.startswith(f"{name}: ")
    assert not line.startswith(f"{name}: Value error")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WRONG_IN_SERVICES)
async def test_all_services_in_one_process_name_the_setting_that_is_wrong(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, WRONG_IN_SERVICES[name])
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    with pytest.raises(WrongSettings, match=f"^{name}: "):
        async with standalone_app(StandaloneSettings(findme_data_dir=tmp_path), nowhere):
            pass


@pytest.mark.parametrize("settings_class", CLASSES)
@pytest.mark.parametrize("value", ["notaurl", "gopher://host", "http:///path", "http://[x"])
def test_every_address_among_the_settings_is_one(
    settings_class: type[FileOrVariableSettings], value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {name.upper() for name in settings_class.model_fields if name.endswith("_url")}
    assert names
    for name in names:
        monkeypatch.setenv(name, value)
    with pytest.raises(WrongSettings) as told:
        settings_class()
    named = {line.partition(":")[0] for line in str(told.value).splitlines()}
    assert names <= named


@pytest.mark.parametrize(
    "command",
    [
        "status", "partitions", "sweep", "migrate", "backup x", "dlq list", "dlq replay --all",
        "mail status", "mail retry", "restore x --erasures-only",
        "event create --name a --photographer b",
        "admin create --username a --email a@example.org --password Passw0rd!x",
    ],
)  # fmt: skip
def test_a_data_folder_that_is_not_there_is_not_made(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its name may be mistyped: zeros of a new database would look like an answer."""
    monkeypatch.chdir(tmp_path)
    ended = CliRunner().invoke(app, [*command.split(), "--data-dir", "mistyped"])
    assert isinstance(ended.exception, NoData), ended.exception
    assert "mistyped" in str(ended.exception)
    assert not (tmp_path / "mistyped").exists()


def test_models_are_put_into_no_data_folder_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FINDME_DATA_DIR", "mistyped")
    monkeypatch.delenv("FINDME_MODEL_DIR", raising=False)
    # Whatever it has, nothing is to be loaded here.
    monkeypatch.setattr(models, "ZOO_MODELS", ())
    ended = CliRunner().invoke(app, ["models", "pull"])
    assert isinstance(ended.exception, NoDataDir), ended.exception
    assert "mistyped" in str(ended.exception)
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        "sweep --older-than 99999999999999",
        "sweep --event 99999999999999999999",
        "dlq show 99999999999999999999",
        "dlq replay 99999999999999999999",
        "dlq list --before 99999999999999999999",
        "event create --name a --photographer b --days 9999999999",
    ],
)
def test_a_number_that_nothing_has_is_refused(arguments: str) -> None:
    ended = CliRunner().invoke(app, arguments.split())
    assert (ended.exit_code, "Invalid value for" in ended.output) == (2, True), ended.output
