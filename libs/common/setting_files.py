"""NAME_FILE names a file that holds the setting NAME: the way secrets are mounted."""

import os
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from libs.common.errors import FindMeError


class SettingUnreadable(FindMeError):
    """A setting's file is missing, empty, or there is a second answer beside it."""


class FileOrVariableSettings(BaseSettings):
    """Settings of which each one may also be the content of a file."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore", frozen=True)

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
