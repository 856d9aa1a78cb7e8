"""What standalone sets for its services."""

from pathlib import Path

from libs.common.settings import CommonSettings
from standalone.app import common_settings
from standalone.settings import StandaloneSettings


def test_waits_for_the_database_end_as_the_table_of_settings_says(tmp_path: Path) -> None:
    own = common_settings(
        StandaloneSettings(findme_data_dir=tmp_path), "postgresql://ann@127.0.0.1/findme"
    )
    waits = [name for name in CommonSettings.model_fields if name.endswith("_timeout")]
    assert "db_pool_timeout" in waits
    assert not own.keys() & set(waits)
