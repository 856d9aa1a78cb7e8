"""The user of the machine that PostgreSQL runs as: one's own, and for root another one.

PostgreSQL refuses to run as root. Nothing that lies above the data folder is opened for the other
user: where they cannot pass, the start says so.
"""

import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from libs.common.errors import Unavailable

#: Made where root starts FindMe and the data folder is nobody's yet.
SYSTEM_USER = "pgserver"
_BINARIES = "pginstall18"


class Switch(TypedDict, total=False):
    """Arguments of `subprocess.run` that make the child another user."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True, slots=True)
class Account:
    """A user of the machine; `name` is None for a number that has no name."""

    uid: int
    gid: int
    name: str | None

    @property
    def is_another(self) -> bool:
        """Whether it is not the user of this process, who is root then."""
        return self.uid != os.geteuid()

    @property
    def let_in(self) -> str:
        """Return the line of pg_hba.conf: who may connect is a matter of the machine's users.

        A number without a name cannot be asked for it (`peer`); the socket lies in a folder that
        only that number may enter.
        """
        return "local all all trust" if self.name is None else "local all all peer map=findme"

    @property
    def peers(self) -> set[str]:
        """Names of the machine's users that are let in."""
        return {"root"} if self.name is None else {"root", self.name}

    def switch(self) -> Switch:
        """Return what runs a program as this user."""
        if not self.is_another:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, path: Path | int) -> None:
        """Make the file or folder, or an open file by its descriptor, this user's."""
        if self.is_another:
            os.chown(path, self.uid, self.gid)

    def may_enter(self, folder: Path) -> bool:
        """Whether the folder's mode lets this user pass through it."""
        found = folder.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)

    def private_folder_for(self, folder: Path) -> Path:
        """Return a short folder for the socket of a folder whose path is too long for one.

        Raises Unavailable where somebody else has made it, who could then listen in our place.
        """
        private = _private_folder(folder)
        try:
            private.mkdir(mode=0o700)
            self.own(private)
        except FileExistsError:
            found = private.lstat()
            is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == self.uid
            if not is_ours or stat.S_IMODE(found.st_mode) != 0o700:
                msg = f"{private} belongs to somebody else. Remove it, or shorten --data-dir."
                raise Unavailable(msg) from None
        return private

    def remove_private_folder_for(self, folder: Path) -> None:
        """Remove it, where there is one and its server has stopped."""
        private = _private_folder(folder)
        with suppress(OSError):
            if private.lstat().st_uid == self.uid:
                private.rmdir()


def postgres_account(folder: Path) -> Account:
    """Return whom PostgreSQL runs as on its folder: this user, and for root the folder's owner.

    Raises Unavailable where root has nobody to run it as.
    """
    if os.geteuid() != 0:
        return Account(os.geteuid(), os.getegid(), _name_of(os.geteuid()))
    if folder.exists() and (found := folder.stat()).st_uid != 0:
        return Account(found.st_uid, found.st_gid, _name_of(found.st_uid))
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = _make_system_user()
    return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)


def require_reach(account: Account, data_dir: Path) -> None:
    """Raise Unavailable where the way to the data folder is closed to the account."""
    if not account.is_another:
        return
    if (closed := _closed_on_the_way(account, data_dir)) is not None:
        msg = (
            f"PostgreSQL does not run as root, and {account.name or account.uid}, whom it runs as,"
            f" may not enter {closed}. Name a folder that others may enter with --data-dir, such"
            " as /var/lib/findme, or run FindMe as another user than root."
        )
        raise Unavailable(msg)


def programs(wheel: Path, account: Account, data_dir: Path) -> Path:
    """Return the folder of PostgreSQL's programs.

    Where FindMe is installed behind a folder that is closed to the account, root's own for
    instance, that is a copy in the data folder (38 MB).
    """
    installed = wheel / _BINARIES
    if not account.is_another or _closed_on_the_way(account, installed / "bin") is None:
        return installed / "bin"
    copy = data_dir / "programs" / _version(installed)
    if not copy.exists():
        partial = copy.with_suffix(f".{os.getpid()}")
        shutil.copytree(installed, partial / wheel.name / _BINARIES)
        # Libraries are found by their place beside the package.
        if (libraries := wheel.with_name(f"{wheel.name}.libs")).exists():
            shutil.copytree(libraries, partial / libraries.name)
        partial.rename(copy)
    return copy / wheel.name / _BINARIES / "bin"


def _private_folder(folder: Path) -> Path:
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"findme-{digest}"


def _version(installed: Path) -> str:
    """Return what tells one release of the programs from another."""
    found = (installed / "bin" / "postgres").stat()
    return f"{found.st_size}-{int(found.st_mtime)}"


def _closed_on_the_way(account: Account, folder: Path) -> Path | None:
    way = [folder, *folder.parents]
    return next((part for part in reversed(way) if not account.may_enter(part)), None)


def _name_of(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _make_system_user() -> pwd.struct_passwd:
    try:
        subprocess.run(  # noqa: S603 - nothing of it comes from outside
            ["/usr/sbin/useradd", "--system", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        msg = (
            f"PostgreSQL does not run as root, and the user {SYSTEM_USER} could not be made."
            " Run FindMe as another user, or name a PostgreSQL by DATABASE_URL."
        )
        raise Unavailable(msg) from error
    return pwd.getpwnam(SYSTEM_USER)
