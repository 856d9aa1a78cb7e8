"""Workers of a service that runs as root are nobody's, and read what is the service's alone."""

import ctypes
import os
import platform
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from libs.common.images.decoders import open_only_ours
from libs.common.workers.pool import WorkerPool
from libs.common.workers.privileges import NOBODY, WithoutRoot
from tests.support.tiny_jpeg import tiny_jpeg

CAP_DAC_READ_SEARCH = 1 << 2
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2
ALLOW = 0x7FFF_0000

pytestmark = [
    pytest.mark.skipif(
        sys.platform != "linux" or os.geteuid() != 0, reason="only root can give root up"
    ),
    pytest.mark.usefixtures("way"),
]


@dataclass(frozen=True)
class Seen:
    """What a worker is, and what it may do."""

    ids: set[int]
    groups: list[int]
    capabilities: set[int]
    name: str
    read: bytes
    width: int
    write_refused: bool
    way_back_refused: bool


def look() -> Callable[[str], Seen]:
    import pyvips

    open_only_ours(pyvips)

    def looked(path: str) -> Seen:
        file = Path(path)
        status = Path("/proc/self/status").read_text().splitlines()
        capabilities = {
            int(line.split()[1], 16)
            for line in status
            if line.startswith(("CapEff", "CapPrm", "CapInh", "CapAmb"))
        }
        return Seen(
            ids={*os.getresuid(), *os.getresgid()},
            groups=os.getgroups(),
            capabilities=capabilities,
            name=Path("/proc/self/comm").read_text().strip(),
            read=file.read_bytes(),
            width=pyvips.Image.thumbnail(path, 8).width,
            write_refused=_is_refused(lambda: file.write_bytes(b"")),
            way_back_refused=_is_refused(lambda: os.setuid(0)),
        )

    return looked


def look_without_capset() -> Callable[[str], Seen]:
    """As in a container whose seccomp filter refuses to give capabilities up."""
    number = {"x86_64": 126, "aarch64": 91}[platform.machine()]
    # Classic BPF: load the call's number; where it is capset answer EPERM, else allow.
    lines = [(0x20, 0, 0, 0), (0x15, 0, 1, number), (0x06, 0, 0, 0x0005_0001), (0x06, 0, 0, ALLOW)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in lines))
    program = ctypes.create_string_buffer(struct.pack("HP", len(lines), ctypes.addressof(code)))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program, 0, 0) == 0
    return look()


def _is_refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except PermissionError:
        return True
    return False


@pytest.fixture
def folder() -> Iterator[Path]:
    """Closed to everybody else."""
    with TemporaryDirectory() as name:
        yield Path(name)


async def test_a_worker_of_root_is_nobody_who_reads_and_changes_nothing(folder: Path) -> None:
    photo = folder / "photo.jpg"
    photo.write_bytes(tiny_jpeg("people 1"))
    photo.chmod(0o600)
    async with WorkerPool(1, WithoutRoot(look), name="test worker", timeout_seconds=60) as pool:
        seen = await pool.run(str(photo))
    assert seen.ids == {NOBODY}
    assert seen.groups == []
    assert seen.capabilities == {0, CAP_DAC_READ_SEARCH}
    assert seen.name == "test worker"
    assert seen.read == tiny_jpeg("people 1")
    assert seen.width > 0
    assert seen.write_refused
    assert seen.way_back_refused
    assert photo.read_bytes() == tiny_jpeg("people 1")


async def test_no_worker_is_nobody_with_all_that_root_may_do() -> None:
    pool = WorkerPool(1, WithoutRoot(look_without_capset), name="test worker", timeout_seconds=60)
    with pytest.raises(PermissionError):
        async with pool:
            pass
