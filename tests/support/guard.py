"""A script: run a server in a process group of its own, and end it when its parent goes away.

    python -I guard.py STOP_SIGNAL USER FOLDER COMMAND [ARGUMENT ...]

Standard input is a pipe from the test process; its end stops the server. Without a byte before
the end it was pytest that ended (killed, for example): then the server's folder is removed too.
USER may be empty.
"""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

STOP_SECONDS = 10.0


def main() -> int:
    stop_signal, user, folder = int(sys.argv[1]), sys.argv[2] or None, sys.argv[3]
    was_asked = True
    # A Ctrl-C in the terminal is pytest's to handle; it closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = subprocess.Popen(
        sys.argv[4:],
        stdin=subprocess.DEVNULL,
        user=user,
        group=_primary_group(user),
        extra_groups=[] if user else None,
    )

    def stop_when_parent_goes() -> None:
        nonlocal was_asked
        was_asked = os.read(0, 1) != b""
        server.send_signal(stop_signal)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            if not was_asked:
                _remove(folder)
            os.killpg(0, signal.SIGKILL)

    threading.Thread(target=stop_when_parent_goes, daemon=True).start()
    status = server.wait()
    if not was_asked:
        _remove(folder)
    return status


def _remove(folder: str) -> None:
    for _ in range(20):
        # Other servers of the folder may still be writing their last.
        shutil.rmtree(folder, ignore_errors=True)
        if not Path(folder).exists():
            return
        time.sleep(0.1)


def _primary_group(user: str | None) -> int | None:
    if user is None:
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid


if __name__ == "__main__":
    sys.exit(main())
