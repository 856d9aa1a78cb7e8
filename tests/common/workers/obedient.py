"""What the tests' workers run: they do what a task's name says, as native code does it unasked."""

import contextlib
import errno
import gc
import os
import re
import resource
import signal
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path

from libs.common.errors import PermanentError
from libs.common.workers.serving import Certain
from libs.common.workers.stages import stage

#: While a file of this name lies beside a task, whoever does it is killed.
STORM = "storm"
PICTURE_BYTES = 64 * 1024 * 1024
#: Many times what its parent may take to end it, however busy the machine.
LIVES_ON_SECONDS = 60.0


class NoPicture(PermanentError):
    """Refused by the task itself."""


class Refused(PermanentError, Certain):
    """Refused before it is given to a decoder."""


class CannotStart(Exception):
    """Refused by the factory."""


class UnpicklableBug(Exception):
    """An error that holds what cannot go to another process."""


class BugOfTwoArguments(Exception):
    """An error that goes to another process, and cannot be made there again."""

    def __init__(self, what: str, more: str) -> None:
        super().__init__(f"{what} {more}")


class LongBug(Exception):
    """An error with very many words, as libvips has them."""


@dataclass(frozen=True)
class Done:
    """Who did a task, and how they ran."""

    name: str
    worker: int
    niceness: int


#: What the process is sent by a task of this name.
SIGNALS = {
    "crash": signal.SIGSEGV,
    "killed": signal.SIGKILL,
    "complaining crash": signal.SIGABRT,
}
#: Tasks of these names write as much as a decoder does that complains of every row.
CHATTER = ("complaining", "complaining crash")
#: What a task of this name raises.
ERRORS: dict[str, Callable[[], Exception]] = {
    "bug": lambda: ZeroDivisionError("a bug"),
    "long bug": lambda: LongBug("bad seek\n" * 20_000),
    "unpicklable bug": lambda: UnpicklableBug("a lock", threading.Lock()),
    "bug of two arguments": lambda: BugOfTwoArguments("a bug", "of two arguments"),
    "greedy": MemoryError,
    "full disk": lambda: OSError(errno.ENOSPC, "No space left on device"),
    "closed": lambda: PermissionError(errno.EACCES, "Permission denied"),
    "refused": lambda: Refused("It is no picture."),
}


def obey(task: Path) -> Done:
    name = task.name.partition(".")[0]
    if name in CHATTER:
        complain()
    die_if_told(task, name)
    give_no_answer_if_told(task, name)
    if name in ERRORS:
        error = ERRORS[name]()
        raise error
    match name:
        case "until-told":
            task.with_name("has begun").touch()
            while not task.with_name("told").exists():
                time.sleep(0.005)
        case "sicken":
            resource.setrlimit(resource.RLIMIT_AS, (address_space(),) * 2)
        case "picture":
            decode(task)
        case "hungry":
            bytearray(PICTURE_BYTES)
        case "bad":
            with stage("decode"):
                raise NoPicture("The file is empty.")
        case "large":
            return Done("x" * 1_000_000, 0, 0)
    with stage("decode"), stage("look"):
        return Done(name=task.name, worker=os.getpid(), niceness=os.nice(0))


def complain() -> None:
    """As native code does, past Python's own files."""
    lines = b"".join(b"bad seek to %d\n" % at for at in range(20_000))
    for descriptor in (1, 2):
        for start in range(0, len(lines), 4096):
            with contextlib.suppress(BlockingIOError):  # which native code does not look at
                os.write(descriptor, lines[start : start + 4096])


def die_if_told(task: Path, name: str) -> None:
    if task.with_name(STORM).exists():
        os.kill(os.getpid(), signal.SIGKILL)
    if name in SIGNALS:
        os.kill(os.getpid(), SIGNALS[name])


def give_no_answer_if_told(task: Path, name: str) -> None:
    match name:
        case "hang":
            # As native code does: not even SIGTERM is heard.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            task.with_name("hanging").touch()
            time.sleep(3600)
        case "spin":
            task.with_name("spinning").touch()
            spin()
        case "let go":
            let_go(task)
        case "freeze":
            freeze_within_an_answer()


def spin() -> None:
    """Keep a core busy in native code that no other thread of the process gets past: for ages."""
    re.match(r"(a+)+$", "a" * 64 + "b")


def let_go(task: Path) -> None:
    """Close what the parent listens to, and live on, as a library does that hangs in its exit."""
    service = parent_process()
    assert service is not None
    # But for what says that the service lives: by which the process would end.
    os.closerange(3, service.sentinel)
    os.closerange(service.sentinel + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    task.with_name("has let go").touch()
    time.sleep(LIVES_ON_SECONDS)
    task.with_name("lived on").touch()


def freeze_within_an_answer() -> None:
    """Say how long the answer is, and begin it."""
    pipes = [it for it in gc.get_objects() if isinstance(it, Connection) and not it.closed]
    (pipe,) = (it for it in pipes if it.readable and it.writable)
    os.write(pipe.fileno(), struct.pack("!i", 1000) + b"begun")
    os.kill(os.getpid(), signal.SIGSTOP)


def address_space() -> int:
    """What this process takes of it, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def decode(task: Path) -> None:
    """As decoders do: what they have no memory for is damaged."""
    try:
        bytearray(PICTURE_BYTES)
    except MemoryError:
        raise NoPicture(f"{task.name} is damaged.") from None


def do_known_good(work: Callable[[Path], Done], *, folder: Path = Path()) -> None:
    """The probe of the tests' pools; a storm in the folder meets it, too."""
    work(folder / "picture.known good")


def cramped() -> Callable[[Path], Done]:
    """With room for pictures, and not for the largest."""
    room = address_space() + 4 * PICTURE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    return obey


class Limited:
    """A factory whose process has a limit before anything runs in it."""

    def __init__(self, limit: int) -> None:
        self.limit = limit

    def __reduce__(self) -> tuple[Callable[[int], "Limited"], tuple[int]]:
        return limited, (self.limit,)

    def __call__(self) -> Callable[[Path], Done]:
        return obey


def limited(limit: int) -> Limited:
    """Made in the process."""
    room = address_space() + 4 * PICTURE_BYTES
    resource.setrlimit(limit, (room, room))
    return Limited(limit)


def while_there(model: Path) -> Callable[[Path], Done]:
    if not model.exists():
        raise CannotStart("the model is missing")
    return obey


def obedient() -> Callable[[Path], Done]:
    return obey


def refuse() -> Callable[[Path], Done]:
    raise CannotStart("the model is missing")


def die() -> Callable[[Path], Done]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
