import os
import subprocess
import sys
from pathlib import Path

from backup.place import Place
from libs.common.web.auth import Role
from tests.support.people import SECRET
from tests.support.world import World


def findme(place: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    variables = {
        "DATABASE_URL": place.database_url,
        "PHOTO_BUCKET_NAME": place.photo_bucket_name or "",
        "S3_ENDPOINT_URL": place.s3_endpoint_url or "",
        "PHOTO_STORE_DIR": str(place.photo_store_dir),
        "SECRET_KEY": SECRET,
    }
    return subprocess.run(
        [sys.executable, "-m", "cli", *arguments],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


async def test_the_commands_work_on_what_the_services_variables_name(
    world: World, here: Place, there: Place, folder: Path
) -> None:
    event_id = await world.event(await world.person(Role.PHOTOGRAPHER))
    await world.guest(event_id, 1)
    await world.photo(event_id, "people 1")
    made = findme(here, "backup", str(folder))
    assert "1 photos, 1 selfies" in made.stdout, made.stderr
    assert findme(here, "backup", str(folder), "--verify").returncode == 0
    refused = findme(here, "restore", str(folder))
    assert refused.returncode == 1
    assert "not empty" in refused.stderr
    assert "Traceback" not in refused.stderr
    restored = findme(there, "restore", str(folder))
    assert "All 2 objects are there" in " ".join(restored.stdout.split()), restored.stderr
    assert "0 deletions" in findme(there, "backup", str(folder), "--erasures-only").stdout


async def test_lost_objects_end_the_command_with_an_error_that_names_them(
    world: World, here: Place, folder: Path
) -> None:
    event_id = await world.event(await world.person(Role.PHOTOGRAPHER))
    await world.photo(event_id, "people 1")
    (key,) = [info.key async for info in world.store.list("")]
    await world.store.delete(key)
    made = findme(here, "backup", str(folder))
    assert made.returncode == 1
    assert key in "".join(made.stderr.split())
