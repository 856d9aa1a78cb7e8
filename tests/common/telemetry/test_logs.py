"""Records are alike in both formats: without anybody's values, bounded, and never waited for."""

import ast
import io
import logging
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import structlog
from pydantic import BaseModel, ValidationError

from libs.common.errors import Conflict, Unavailable
from libs.common.telemetry import logs
from libs.common.telemetry.metrics import LOG_RECORDS_DROPPED
from tests.support.logged import written_logs
from tests.support.polling import PATIENCE_SECONDS

ROOT = Path(__file__).parents[3]
SECRET = "hunter2-Passw0rd!"
FORMATS: tuple[logs.LogFormat, ...] = ("json", "console")
log = structlog.get_logger(__name__)


class Login(BaseModel):
    password: int


def fail_with_secrets() -> None:
    """A secret in a local variable, in messages, and in what pydantic quotes."""
    password = SECRET
    try:
        Login.model_validate({"password": password})
    except ValidationError as error:
        try:
            raise Conflict(f"{password} is taken") from error  # noqa: TRY301 - a chain of three
        except Conflict as conflict:
            raise LookupError(f"no account for {password}") from conflict


def caught() -> Exception:
    try:
        fail_with_secrets()
    except LookupError as error:
        return error
    raise AssertionError


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_traceback_says_where_and_of_what_kind_and_nothing_of_values(
    log_format: logs.LogFormat,
) -> None:
    with written_logs(log_format) as logged:
        log.error("failed", exc_info=caught())
        log.warning("failed", error=caught())
        logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=caught())
        try:
            fail_with_secrets()
        except LookupError:
            log.exception("failed")
    told = logged()
    assert told.count("in fail_with_secrets") == 9
    assert "pydantic_core._pydantic_core.ValidationError" in told
    assert SECRET not in told


@pytest.mark.parametrize("log_format", FORMATS)
def test_words_of_our_own_are_told_with_what_caused_them(log_format: logs.LogFormat) -> None:
    with written_logs(log_format) as logged:
        try:
            try:
                raise ConnectionRefusedError(111, "Connection refused")
            except OSError as error:
                raise Unavailable("The store is away.") from error
        except Unavailable as error:
            log.warning("put_off", error=error)
    assert "Unavailable: The store is away., by ConnectionRefusedError: Connection refused" in (
        logged()
    )


def test_what_asyncio_adds_of_a_task_is_left_out() -> None:
    with written_logs("json") as logged:
        logging.getLogger("asyncio").error(
            "Task exception was never retrieved\nfuture: <Task exception=%r>", caught()
        )
    assert "Task exception was never retrieved" in logged()
    assert SECRET not in logged()


def test_other_libraries_say_what_went_wrong_and_not_what_they_do() -> None:
    with written_logs("json") as logged:
        for name in ("sqlalchemy.engine.Engine", "httpcore.http11", "PIL.TiffImagePlugin"):
            logging.getLogger(name).info("row, header or tag: %s", SECRET)
            logging.getLogger(name).warning("a warning")
        log.debug("ours")
    assert logged().count("a warning") == 3
    assert "ours" in logged()
    assert SECRET not in logged()


def test_a_record_is_bounded() -> None:
    def deeper(depth: int) -> None:
        if depth == 0:
            raise LookupError
        deeper(depth - 1)

    with written_logs("json") as logged:
        try:
            deeper(900)
        except LookupError as error:
            log.error("deep", exc_info=error, name="x" * 1_000_000)  # noqa: TRY400
    assert len(logged()) < 25_000


class Stuck(io.StringIO):
    """A terminal that takes nothing until it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked, self.goes_on = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.is_asked.set()
        assert self.goes_on.wait(PATIENCE_SECONDS)
        return super().write(text)


def test_whoever_logs_waits_for_nobody_and_what_is_too_much_is_counted() -> None:
    stream = Stuck()
    writer = logs.LogWriter(logging.StreamHandler(stream), max_waiting=5)
    before = LOG_RECORDS_DROPPED._value.get()
    writer.handle(logging.makeLogRecord({"msg": "first"}))
    assert stream.is_asked.wait(PATIENCE_SECONDS)
    for number in range(8):
        writer.handle(logging.makeLogRecord({"msg": str(number)}))
    assert LOG_RECORDS_DROPPED._value.get() - before == 3
    stream.goes_on.set()
    writer.close()
    assert stream.getvalue().split() == ["first", "0", "1", "2", "3", "4"]


def test_what_standard_error_is_at_the_time_gets_the_records_and_a_closed_one_no_complaint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    former, present, other = io.StringIO(), io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", former)
    with written_logs("json"):
        standard, given = logs.writer("json", None), logs.writer("json", other)
        former.close()
        other.close()
        before = LOG_RECORDS_DROPPED._value.get()
        given.handle(logging.makeLogRecord({"msg": "nobody reads it"}))
        standard.handle(logging.makeLogRecord({"msg": "nobody yet"}))
        given.close()
        standard.flush()
        assert LOG_RECORDS_DROPPED._value.get() - before == 2
        monkeypatch.setattr(sys, "stderr", present)
        standard.handle(logging.makeLogRecord({"msg": "read again"}))
        standard.close()
    assert "read again" in present.getvalue()
    assert "Logging error" not in present.getvalue()


CRASH = """
import threading, structlog
from libs.common.telemetry import logs
logs.configure("info", "{log_format}")
logs.catch_crashes()
def fail(password): raise LookupError("no account for " + password)
thread = threading.Thread(target=fail, args=["{secret}"[::-1]]); thread.start(); thread.join()
for number in range(1000): structlog.get_logger("libs.x").info("counted", number=number)
fail("{secret}"[::-1])
"""


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_crash_loses_no_record_and_tells_no_value(log_format: logs.LogFormat) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CRASH.format(log_format=log_format, secret=SECRET[::-1])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    told = ended.stdout + ended.stderr
    assert told.count("counted") == 1000
    assert [told.count(word) for word in ("thread_crashed", "process_crashed")] == [1, 1]
    assert SECRET not in told


def test_errors_are_given_to_the_log_as_they_are() -> None:
    """As text they would say what their messages quote."""
    told = [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for folder in ("backup", "cli", "demo", "libs", "services", "standalone")
        for path in (ROOT / folder).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and _is_logged(call) and any(map(_is_text, call.keywords))
    ]
    assert told == []


def _is_logged(call: ast.Call) -> bool:
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    return (
        isinstance(call.func, ast.Attribute)
        and call.func.attr in levels
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in {"log", "logger", "about"}
    )


def _is_text(argument: ast.keyword) -> bool:
    """Whether an error is made text of: by `str`, `repr`, an f-string."""
    is_error = argument.arg in {"error", "problem", "reason"}
    return is_error and isinstance(argument.value, (ast.JoinedStr, ast.Call))
