"""When a folder is looked at again, and where the system's events cannot be relied on."""

import asyncio
from pathlib import Path

import pytest

from findme_watch import watching
from findme_watch.watching import Polling, Wakes, linux_kind, mac_kind
from tests.support.polling import PATIENCE_SECONDS

MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
30 22 0:41 / /mnt/nas rw,relatime shared:2 - nfs4 nas:/photos rw,vers=4.2
31 22 0:42 / /media/ann/Card\\040of\\040Ann rw - vfat /dev/sdb1 rw
32 30 0:43 / /mnt/nas/local rw - ext4 /dev/vdb rw
33 22 0:44 / /mnt/nas2 rw - cifs //nas/two rw
"""
MOUNTED = """\
/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)
//ann@nas.local/photos on /Volumes/photos (smbfs, nodev, nosuid, mounted by ann)
/dev/disk4s1 on /Volumes/Card (1) (msdos, local, nodev, nosuid, noowners)
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/home/ann", "ext4"),
        ("/mnt/nas/gala", "nfs4"),
        ("/mnt/nas/local/gala", "ext4"),
        ("/mnt/nas2", "cifs"),
        ("/media/ann/Card of Ann/DCIM", "vfat"),
    ],
)
def test_the_file_system_of_a_folder_is_the_nearest_mount_s(folder: str, kind: str) -> None:
    assert linux_kind(Path(folder), MOUNTS) == kind


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/Users/ann", "apfs"),
        ("/Volumes/photos/gala", "smbfs"),
        ("/Volumes/Card (1)/DCIM", "msdos"),
    ],
)
def test_on_macos_it_is_what_mount_says(folder: str, kind: str) -> None:
    assert mac_kind(Path(folder), MOUNTED) == kind


async def test_a_folder_whose_changes_come_without_events_is_polled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_LATE_SECONDS", 0.02)
    wakes = Wakes(tmp_path, polling=Polling.AUTO, poll_seconds=0.01)
    wakes.found_new(by_event=False)
    assert not await wakes.rest(at_most=0.05, look_seconds=0)
    assert wakes.polled_because is None
    await wakes.rest(at_most=0.05, look_seconds=0)
    assert wakes.polled_because == "changes came without an event of the system"


async def test_new_files_after_an_event_are_no_reason_to_poll(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_LATE_SECONDS", 0.0)
    wakes = Wakes(tmp_path, polling=Polling.AUTO, poll_seconds=0.01)
    wakes.found_new(by_event=True)
    await wakes.rest(at_most=0.01, look_seconds=0)
    await wakes.rest(at_most=0.01, look_seconds=0)
    assert wakes.polled_because is None


async def test_a_rest_ends_when_it_is_told_to(tmp_path: Path) -> None:
    wakes = Wakes(tmp_path, polling=Polling.NEVER, poll_seconds=1000)
    resting = asyncio.create_task(wakes.rest(at_most=None, look_seconds=0))
    await asyncio.sleep(0)
    wakes.wake()
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert not await resting  # by nothing of the system's


async def test_a_slow_folder_is_polled_for_a_small_share_of_the_time(tmp_path: Path) -> None:
    wakes = Wakes(tmp_path, polling=Polling.ALWAYS, poll_seconds=0.01)
    loop = asyncio.get_running_loop()
    began = loop.time()
    await wakes.rest(at_most=0.01, look_seconds=0.002)
    assert loop.time() - began >= 0.002 / watching.LOOK_SHARE
