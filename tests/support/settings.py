"""Settings of a service under test."""

from typing import TypeVar

from libs.common.settings import CommonSettings
from tests.support.people import SECRET

S = TypeVar("S", bound=CommonSettings)


def settings_of(kind: type[S], database_url: str, **values: object) -> S:
    """The service's settings on a test's database, with few connections to it."""
    common = {
        "database_url": database_url,
        "db_pool_size": 5,
        "db_max_overflow": 15,
        "secret_key": SECRET,
    }
    return kind.model_validate(common | values)


def of_all_services(settings: CommonSettings) -> CommonSettings:
    """What they have in common, for resources that all share: a service may only read objects."""
    return CommonSettings.model_validate(
        {name: getattr(settings, name) for name in CommonSettings.model_fields}
    )
