import pytest

from libs.common.setting_files import WrongSettings
from services.recognition.settings import RecognitionSettings
from tests.support.settings import settings_of

URL = "postgresql://findme@localhost/findme"


def test_a_lease_that_one_late_renewal_would_end_is_refused() -> None:
    settings_of(RecognitionSettings, URL, partition_lease_seconds=6, partition_renew_seconds=2)
    with pytest.raises(WrongSettings, match="PARTITION_LEASE_SECONDS must be at least three"):
        settings_of(RecognitionSettings, URL, partition_lease_seconds=5, partition_renew_seconds=2)
