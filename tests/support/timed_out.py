"""Where a test hung that ran out of time: one short block each, as the last words of the run."""

import asyncio
import gc
import signal
from collections.abc import Generator, Iterator
from pathlib import Path
from types import AsyncGeneratorType, FrameType

import pytest

ROOT = Path(__file__).parents[2]
#: Of each stack, the innermost ones; and of all the tasks.
FRAMES = 5
TASKS = 30

_HUNG = pytest.StashKey[str]()
_PLACES = pytest.StashKey[dict[str, str]]()


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_timeout_set_timer(
    item: pytest.Item, settings: object
) -> Generator[None, object, object]:
    """Note where it hangs at that moment: fixtures' ends that come after it close the loop."""
    del settings
    outcome = yield
    end_the_test = signal.getsignal(signal.SIGALRM)

    def note(number: int, frame: FrameType | None) -> None:
        item.stash[_HUNG] = "\n".join(places(frame))
        if callable(end_the_test):
            end_the_test(number, frame)

    if callable(end_the_test):
        signal.signal(signal.SIGALRM, note)
    return outcome


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Have a process of xdist's send it along."""
    report = yield
    if call.excinfo is not None and _HUNG in item.stash:
        report.user_properties.append(("hung", item.stash[_HUNG]))
        del item.stash[_HUNG]
    return report


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_PLACES] = {}
    config.pluginmanager.register(_Collector(config.stash[_PLACES]), "where-tests-hung")


class _Collector:
    def __init__(self, places: dict[str, str]) -> None:
        self._places = places

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == "hung" and report.failed:
                self._places[f"{report.nodeid} ({report.when})"] = str(value)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Generator[None]:
    """Say it after all else, as of a long output the end is what is kept."""
    yield
    for test, where in config.stash[_PLACES].items():
        terminalreporter.section(f"hung: {test}", sep="-")
        terminalreporter.write_line(where)


def places(frame: FrameType | None) -> Iterator[str]:
    """Yield a line for the main thread and for each task of the loop that it runs, if any."""
    stack: list[str] = []
    loop: asyncio.AbstractEventLoop | None = None
    while frame is not None:
        stack.append(_place(frame))
        present = frame.f_locals.get("self")
        if loop is None and isinstance(present, asyncio.AbstractEventLoop):
            loop = present
        frame = frame.f_back
    yield f"main thread: {told(stack[::-1])}"
    if loop is None:
        return
    tasks = sorted(asyncio.all_tasks(loop), key=lambda task: task.get_name())
    for task in tasks[:TASKS]:
        yield f"{task.get_name()}: {told(list(stack_of(task)))}"
    if len(tasks) > TASKS:
        yield f"and {len(tasks) - TASKS} more tasks"


def told(stack: list[str]) -> str:
    """Return the innermost places, the innermost first."""
    return " < ".join(stack[: -FRAMES - 1 : -1])


def stack_of(task: "asyncio.Task[object]") -> Iterator[str]:
    """Yield where each coroutine waits for the next one, the outermost first."""
    waiting: object = task.get_coro()
    while waiting is not None:
        for kind in ("cr", "gi", "ag"):
            frame = getattr(waiting, f"{kind}_frame", None)
            if frame is not None:
                yield _place(frame)
                waiting = getattr(waiting, "gi_yieldfrom" if kind == "gi" else f"{kind}_await")
                break
        else:
            # What an `async for` waits for does not tell of which generator it is.
            waiting = next(
                (
                    part
                    for part in gc.get_referents(waiting)
                    if isinstance(part, AsyncGeneratorType)
                ),
                None,
            )


def _place(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    told = path.relative_to(ROOT) if path.is_relative_to(ROOT) else Path(*path.parts[-2:])
    return f"{told}:{frame.f_lineno} {frame.f_code.co_name}"
