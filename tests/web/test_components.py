"""The browser app's own tests, and what it repeats of the services."""

import json
import re

from services.gallery.accounts.password_changes import WrongPassword
from services.gallery.events.time_zones import TimeZoneUnknown
from services.ingest.selfies.receive_selfie import NO_RAW, UNUSABLE
from services.ingest.selfies.store_selfie import MAX_SELFIES
from services.recognition.engine.detect.selfie_check import (
    NO_FACE,
    NOT_UPRIGHT,
    SEVERAL_FACES,
    TOO_SMALL,
)
from services.recognition.selfies.routes import UNREADABLE
from services.recognition.settings import RecognitionSettings
from tests.support.node import WEB, require_node, run_tool

MAX_SELFIE_MB = RecognitionSettings.model_fields["max_selfie_mb"].default


def test_logic_of_grid_lists_and_words() -> None:
    require_node()
    done = run_tool("vitest", "run", folder=WEB)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_has_words_in_each_language_for_every_answer_to_a_selfie() -> None:
    answers = json.loads((WEB / "src/lib/selfie/answers.json").read_text())
    assert set(answers) == {
        NO_FACE,
        SEVERAL_FACES,
        TOO_SMALL,
        NOT_UPRIGHT,
        UNREADABLE,
        NO_RAW,
        UNUSABLE,
        _without_amounts(f"The selfie is larger than {MAX_SELFIE_MB} MB. Send a smaller one."),
        _without_amounts(
            f"You have {MAX_SELFIES} selfies already. Delete one before you add another."
        ),
    }


def test_it_knows_what_is_said_of_a_wrong_password() -> None:
    assert f'"{WrongPassword()}"' in (WEB / "src/lib/studio/account.ts").read_text()


def test_it_knows_what_is_said_of_an_unknown_time_zone() -> None:
    zones = (WEB / "src/lib/studio/zones.ts").read_text()
    found = re.search(r'ZONE_UNKNOWN = "(.+)"', zones)
    assert found is not None
    assert str(TimeZoneUnknown("Etc/Unknown")).startswith(found[1])


def _without_amounts(sentence: str) -> str:
    return re.sub(r"\d+", "N", sentence)
