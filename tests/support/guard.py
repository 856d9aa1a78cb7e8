"""A script: run a server in a process group of its own, and end it when its parent goes away.

    python -I guard.py STOP_SIGNAL USER COMMAND [ARGUMENT ...]

Standard input is a pipe from the test process. Its end, by request or because pytest was
killed, stops the server; nothing is orphaned whatever happened to pytest. USER may be empty.
"""

import os
import signal
import subprocess
import sys
import threading

STOP_SECONDS = 10.0


def main() -> int:
    stop_signal, user, command = int(sys.argv[1]), sys.argv[2] or None, sys.argv[3:]
    # A Ctrl-C in the terminal is pytest's to handle; it closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        user=user,
        group=_primary_group(user),
        extra_groups=[] if user else None,
    )

    def stop_when_parent_goes() -> None:
        while os.read(0, 1):
            pass
        server.send_signal(stop_signal)
        try:
            server.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(0, signal.SIGKILL)

    threading.Thread(target=stop_when_parent_goes, daemon=True).start()
    return server.wait()


def _primary_group(user: str | None) -> int | None:
    if user is None:
        return None
    import pwd

    return pwd.getpwnam(user).pw_gid


if __name__ == "__main__":
    sys.exit(main())
