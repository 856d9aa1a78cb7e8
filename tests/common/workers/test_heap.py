import subprocess
import sys

import pytest

#: Blocks of the heap that are freed below one that lives on, and what the process has then.
FREED = """
import gc, pathlib
from libs.common.workers import heap

def resident_mb():
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) // 1024

heap.have_one_arena()
blocks = [bytes([1]) * 100_000 for _ in range(1000)]
last = bytes([1]) * 100_000
blocks.clear()
before = resident_mb()
heap.give_back_freed()
print(before - resident_mb())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="its C library is another")
def test_what_is_freed_below_something_that_lives_on_goes_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FREED], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(done.stdout) >= 80
