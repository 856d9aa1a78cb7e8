"""What tests wait for may take its time: a machine that is busy is no fault of FindMe's."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.polling import PATIENCE_SECONDS

TESTS = Path(__file__).parents[1]
#: What is asked again when it was not answered, and what is to take its time.
SHORT = {
    "common/database/test_silence.py",
    "common/web/test_open_files.py",
    "deploy/gateway/test_caddy.py",
    "faults/processes.py",
    "ingest/test_digesting_writer.py",
    "support/nginx.py",
    "support/postgres.py",
    "support/rabbitmq.py",
    "support/services.py",
}


def test_nobody_is_given_seconds_to_answer() -> None:
    short = [
        f"{path.relative_to(TESTS)}:{call.lineno}"
        for path in sorted(TESTS.rglob("*.py"))
        if str(path.relative_to(TESTS)) not in SHORT
        for call in calls(path)
        if is_short(call)
    ]
    assert short == [], f"{len(short)} limits of less than a minute"


def test_all_who_ask_over_a_network_say_how_long_they_wait() -> None:
    """By itself httpx gives up after 5 s; an application within the test is waited for."""
    told = [
        f"{path.relative_to(TESTS)}:{call.lineno}"
        for path in sorted(TESTS.rglob("*.py"))
        for call in calls(path)
        if asks_by_httpx(call) and not {"timeout", "transport"} & named(call).keys()
    ]
    assert told == [], f"{len(told)} without timeout=PATIENCE_SECONDS ({PATIENCE_SECONDS:g})"


def calls(path: Path) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            yield node


def named(call: ast.Call) -> dict[str | None, ast.expr]:
    return {keyword.arg: keyword.value for keyword in call.keywords}


def is_short(call: ast.Call) -> bool:
    limits = [named(call).get("timeout")]
    match ast.unparse(call.func):
        case "asyncio.timeout":
            limits += call.args
        case "asyncio.wait_for":
            limits += call.args[1:]
    return any(
        isinstance(limit, ast.Constant)
        and isinstance(limit.value, (int, float))
        and limit.value < 60
        for limit in limits
    )


def asks_by_httpx(call: ast.Call) -> bool:
    asking = {"Client", "AsyncClient", "get", "post", "put", "delete", "request", "stream"}
    return ast.unparse(call.func) in {f"httpx.{name}" for name in asking}
