"""The command, as people and scripts call it."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from findme_watch.manifest import Manifest
from findme_watch.settings import WrongSettings, parse
from tests.support.image_files import image_file
from tests.support.own_process import own_process
from tests.support.polling import PATIENCE_SECONDS
from tests.support.services import free_port
from tests.watcher.conftest import Place

CLIENT = Path(__file__).parents[2] / "clients/watcher"
ACCESS = ["--url", "https://findme.test", "--key", "fmk_"]


async def call(*arguments: str) -> tuple[int, str, str]:
    """Return the exit status, and what was printed to both outputs."""
    async with own_process(
        sys.executable,
        *("-m", "findme_watch", *arguments),
        env=os.environ | {"PYTHONPATH": str(CLIENT), "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    ) as process:
        output, errors = await process.communicate()
    return process.returncode or 0, output.decode(), errors.decode()


def lines(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


async def test_a_run_tells_each_file_as_json_and_status_still_knows(place: Place) -> None:
    (place.folder / "a.jpg").write_bytes(image_file(seed=1))
    (place.folder / "b.X3F").write_bytes(b"raw")
    (place.folder / "lies.jpg").write_bytes(b"no photo, but long enough to be looked at")
    state = ("--state", str(place.state))

    status, output, errors = await call(*place.options("--once", "--json"))
    assert (status, errors) == (1, "")
    told = {(Path(line["path"]).name, line["event"]) for line in lines(output) if "path" in line}
    assert told >= {("a.jpg", "sent"), ("lies.jpg", "refused"), ("b.X3F", "listed")}
    assert lines(output)[-1]["not_sent"] == 2

    status, output, _ = await call("status", "--json", *state)
    [folder] = lines(output)
    assert status == 1
    assert (folder["sent"], folder["refused"], folder["listed"]) == (1, 1, 1)
    assert folder["watched"] is False
    assert {Path(one["path"]).name for one in folder["not_sent"]} == {"lies.jpg", "b.X3F"}
    status, output, _ = await call("status", *state)
    assert "1 sent, 0 under way, 1 refused" in output
    assert "lies.jpg" in output

    (place.folder / "lies.jpg").unlink()
    (place.folder / "b.X3F").unlink()
    assert (await call(*place.options("--once")))[0] == 0
    status, output, _ = await call("status", "--json", *state)
    [folder] = lines(output)
    assert (status, folder["sent"], folder["not_sent"]) == (0, 1, [])


async def test_status_knows_what_cannot_be_read_for_as_long_as_that_is_so(place: Place) -> None:
    (place.folder / "a.jpg").write_bytes(image_file(seed=1))
    # A file of which nobody, root neither, can read the first byte.
    (place.folder / "locked.jpg").symlink_to("/proc/self/mem")
    (place.folder / "elsewhere").symlink_to("/", target_is_directory=True)
    state = ("--state", str(place.state))
    assert (await call(*place.options("--once")))[0] == 1
    status, output, _ = await call("status", "--json", *state)
    [folder] = lines(output)
    assert (status, folder["unreadable"], folder["listed"]) == (1, 2, 0)
    assert {Path(one["path"]).name for one in folder["not_sent"]} == {"locked.jpg", "elsewhere"}

    (place.folder / "locked.jpg").unlink()
    (place.folder / "locked.jpg").write_bytes(image_file(seed=2))
    (place.folder / "elsewhere").unlink()
    assert (await call(*place.options("--once")))[0] == 0
    status, output, _ = await call("status", "--json", *state)
    [folder] = lines(output)
    assert (status, folder["unreadable"], folder["sent"]) == (0, 0, 2)


async def test_of_a_card_that_is_out_status_says_what_it_was(place: Place) -> None:
    (place.folder / "lies.jpg").write_bytes(b"no photo, but long enough to be looked at")
    await call(*place.options("--once"))
    place.folder.rename(place.folder.with_name("elsewhere"))
    status, output, _ = await call("status", "--json", "--state", str(place.state))
    assert (status, lines(output)[0]["refused"]) == (1, 1)


async def test_status_says_that_nothing_was_sent_where_a_watch_still_waits_for_its_server(
    place: Place,
) -> None:
    with Manifest.open(place.state):
        pass
    status, _, errors = await call("status", "--state", str(place.state))
    assert (status, "Nothing was sent yet" in errors) == (2, True)


async def test_a_name_with_line_breaks_is_told_in_one_line(place: Place) -> None:
    (place.folder / "a\nsent b\x1b[2J.jpg").write_bytes(image_file(seed=1))
    status, output, _ = await call(*place.options("--once"))
    assert status == 0
    assert len(output.splitlines()) == 2
    assert "a\\nsent b\\x1b[2J.jpg" in output


async def test_doctor_finds_nothing_wrong_where_nothing_is(place: Place) -> None:
    (place.folder / "a.jpg").write_bytes(image_file(seed=1))
    status, output, _ = await call("doctor", *place.options())
    assert status == 0, output
    for expected in (
        "1 photos, 0 other files",
        "The system tells of changes there.",
        f"Event {place.event_id} takes photos from us.",
    ):
        assert expected in output
    assert [path.name for path in place.folder.iterdir()] == ["a.jpg"]


async def test_doctor_says_what_is_wrong(place: Place) -> None:
    place.folder.rmdir()
    options = place.options()
    status, output, _ = await call("doctor", *options)
    assert status == 1
    assert "cannot be read: No such file or directory" in output

    place.folder.mkdir()
    options[options.index("--key") + 1] = "fmk_wrong"
    status, output, _ = await call("doctor", *options)
    assert status == 1
    assert "We are not let in:" in output

    nobody = f"http://127.0.0.1:{free_port()}"
    options[options.index("--url") + 1] = nobody
    status, output, _ = await call("doctor", *options)
    assert status == 1
    assert f"{nobody} cannot be reached" in output


async def test_exit_statuses_tell_scripts_what_happened(place: Place) -> None:
    (place.folder / "a.jpg").write_bytes(image_file(seed=1))
    options = place.options("--once")
    wrong = list(options)
    wrong[wrong.index("--key") + 1] = "fmk_wrong"
    assert (await call(*wrong))[0] == 3
    away = list(options)
    away[away.index("--url") + 1] = f"http://127.0.0.1:{free_port()}"
    assert (await call(*away, "--give-up", "1"))[0] == 4
    _, output, _ = await call("status", "--json", "--state", str(place.state))
    folder = lines(output)[0]  # the last seen comes first
    assert "cannot be reached" in folder["problem"]
    assert (folder["under_way"], folder["watched"]) == (1, False)
    status, _, errors = await call(str(place.folder))
    assert (status, errors) == (
        2,
        "findme-watch: Name the server: --url https://… (or FINDME_URL).\n",
    )
    assert (await call(*options))[0] == 0


async def test_a_service_that_is_stopped_ends_in_order(place: Place) -> None:
    async with own_process(
        sys.executable,
        *("-m", "findme_watch", *place.options("--json")),
        env=os.environ | {"PYTHONPATH": str(CLIENT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    ) as process:
        (place.folder / "a.jpg").write_bytes(image_file(seed=1))
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE_SECONDS):
            first = json.loads(await process.stdout.readline())
        assert (first["event"], Path(first["path"]).name) == ("sent", "a.jpg")
        process.terminate()
        async with asyncio.timeout(PATIENCE_SECONDS):
            _, errors = await process.communicate()
    assert (process.returncode, errors) == (0, b"")
    _, output, _ = await call("status", "--json", "--state", str(place.state))
    assert lines(output)[0]["watched"] is False


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["f", "--url", "https://findme.test"], "upload key"),
        (["f", "--url", "https://findme.test", "--user", "ann"], "--password"),
        (ACCESS, "Name the folder"),
        (["f", "--agent", *ACCESS], "Name the folder"),
        (["--agent", "--once", *ACCESS], "--agent goes on"),
        (["--agent", "--move-to", "sent", *ACCESS], "the server says where"),
        (["f", "--give-up", "5", *ACCESS], "--once"),
        (["f", "--move-to", ".", *ACCESS], "folder itself"),
        (["f", "--move-to", "sub/../../f", *ACCESS], "folder itself"),
        (["~nobody-of-this-name/f", *ACCESS], "nobody's folder"),
        (["f", "--url", "ftp://findme.test", "--key", "fmk_"], "is written https"),
        (["f", "--url", "http://[findme", "--key", "fmk_"], "is written https"),
        (["f", "--url", "findme.test:x", "--key", "fmk_"], "is written https"),
        (["f", "--url", "findme.test", "--key", "mk_1"], "begins with fmk_"),
        (["f", "--event", "ABC", *ACCESS], "number"),
        (["f", "--url", "findme.test", "--key-file", "/nowhere/key"], "cannot be read"),
    ],
)
def test_settings_that_do_not_fit_say_what_to_change(arguments: list[str], said: str) -> None:
    with pytest.raises(WrongSettings, match=said):
        parse(arguments, {})


def test_settings_are_read_from_the_environment_where_no_option_says_otherwise(
    tmp_path: Path,
) -> None:
    (tmp_path / "key").write_text("fmk_1\n")
    environment = {
        "FINDME_URL": "findme.test/",
        "FINDME_KEY_FILE": str(tmp_path / "key"),
        "FINDME_EVENT": "7",
    }
    settings = parse(["photos", "--move-to", "sent"], environment)
    assert settings.access is not None
    assert (settings.access.url, settings.access.key) == ("https://findme.test", "fmk_1")
    assert settings.event_id == 7
    assert settings.template.folder == Path.cwd() / "photos"
    assert settings.template.move_to == Path.cwd() / "photos/sent"
    assert parse(["photos", "--event", "8", "--key", "fmk_2"], environment).event_id == 8
    both = environment | {"FINDME_KEY": "fmk_3"}
    given = parse(["photos", "--key-file", str(tmp_path / "key")], both).access
    assert given is not None
    assert given.key == "fmk_1"
    given = parse(["photos", "--user", "ann", "--password", "a"], both).access
    assert given is not None
    assert (given.key, given.user) == (None, "ann")
    assert "fmk_1" not in repr(settings)


def test_a_folder_named_as_a_command_is_one_with_a_path(tmp_path: Path) -> None:
    assert parse(["status"], {}).command == "status"
    assert parse(["./status", *ACCESS], {}).folder == Path.cwd() / "status"
