"""Settings of the environment: NAME, or the content of the file that NAME_FILE names.

Files are the way secrets are mounted.
"""

import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from libs.common.errors import FindMeError


class WrongSettings(FindMeError):
    """Settings that are missing or wrong: a line for each, which names it and not its value."""

    @classmethod
    def of(cls, error: ValidationError) -> "WrongSettings":
        """Say what pydantic found."""
        return cls("\n".join(_told(problem["loc"], problem["msg"]) for problem in error.errors()))


class SettingUnreadable(WrongSettings):
    """A setting's file is missing, empty, or there is a second answer beside it."""


class FileOrVariableSettings(BaseSettings):
    """Settings of which each one may also be the content of a file.

    Raises WrongSettings.
    """

    model_config = SettingsConfigDict(env_file=None, extra="ignore", frozen=True)

    def __init__(self, **given: Any) -> None:  # noqa: ANN401 - as pydantic takes them
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise WrongSettings.of(error) from error

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, _FilesSource(settings_cls), env_settings


class _FilesSource(PydanticBaseSettingsSource):
    """Raises SettingUnreadable."""

    def __call__(self) -> dict[str, Any]:
        read = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in read.items() if value is not None}

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        del field
        return _from_file(field_name.upper()), field_name, False


def _told(place: tuple[int | str, ...], message: str) -> str:
    """What is about several settings names them itself."""
    message = message.removeprefix("Value error, ")
    return f"{str(place[0]).upper()}: {message}" if place else message


def _from_file(variable: str) -> str | None:
    path = os.environ.get(f"{variable}_FILE")
    if not path:
        return None
    if os.environ.get(variable):
        msg = f"{variable} and {variable}_FILE are both set: unset one of them"
        raise SettingUnreadable(msg)
    try:
        value = Path(path).read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        msg = f"{variable}_FILE: cannot read {path} ({reason})"
        raise SettingUnreadable(msg) from error
    if not value:
        msg = f"{variable}_FILE: {path} is empty"
        raise SettingUnreadable(msg)
    return value
