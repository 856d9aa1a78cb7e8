"""Requests that the document allows, and others: no surprise, and no answer that it does not name.

The way of schemathesis.readthedocs.io, on all services behind one address, as each kind of caller.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import requests
from hypothesis import Phase
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, Config, GenerationMode, openapi, serializer
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Err, Result
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from services.ingest.resumable.protocol import CONTENT_TYPE
from standalone.api_document import joint_document
from tests.schemathesis.served import Served, served
from tests.support.databases import Databases

# Bytes, as what follows is.
serializer.alias(CONTENT_TYPE, "application/octet-stream")

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
#: Its answer does not end.
ENDLESS = {"stream_event"}
#: Afterwards the caller is nobody, or there is nothing left to ask for.
LAST = ["delete_own_event", "delete_event", "delete_user", "log_out", "delete_my_account"]
Operation = APIOperation[Any, Any, Any, Any]
AnyCase = Case[Any]
#: Who asks, and how many operations at least do what they are asked for by generated requests.
ROLES = {"anonymous": 2, "guest": 20, "photographer": 25, "admin": 35}
TIMEOUT_SECONDS = 60
SHORT, LONG = 2, 60


@pytest.mark.parametrize("role", ROLES)
def test_no_request_gets_an_answer_that_is_not_documented(
    role: str, databases: Databases, tmp_path: Path
) -> None:
    probe_all(role, databases, tmp_path / "objects", examples=SHORT)


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("role", ROLES)
def test_no_request_of_many_gets_an_answer_that_is_not_documented(
    role: str, databases: Databases, tmp_path: Path
) -> None:
    probe_all(role, databases, tmp_path / "objects", examples=LONG)


def probe_all(role: str, databases: Databases, objects: Path, *, examples: int) -> None:
    answers: dict[str, Counter[int]] = {}
    failures: list[str] = []
    with served(databases, objects) as services, requests.Session() as session:
        if role in services.people:
            session.headers.update(services.people[role].headers)
        for operation in operations():
            seen = answers[operation.label] = Counter()
            name = operation.definition.raw["operationId"]
            try:
                probe(operation, services, session, seen, examples=examples)
                assert name in LAST or is_still_somebody(role, services, session), (
                    f"{name} ends the caller's login: it belongs into LAST"
                )
            except (Exception, FailureGroup) as error:  # noqa: BLE001 - all are asked first
                failures.append(f"{operation.label}: {'; '.join(told(error))[:2000]}")
    assert not failures, "\n\n".join(failures)
    done = [name for name, seen in answers.items() if any(status < 300 for status in seen)]
    assert len(done) >= ROLES[role], f"only these did something: {done}"


def told(error: BaseException) -> Iterator[str]:
    """What is said by an error, and by those that it is a group of."""
    yield str(error)
    if isinstance(error, BaseExceptionGroup):
        for one in error.exceptions:
            yield from told(one)


def is_still_somebody(role: str, services: Served, session: requests.Session) -> bool:
    """What is asked afterwards would only find out that nobody is logged in."""
    if role not in services.people:
        return True
    return session.get(f"{services.url}/api/me", timeout=TIMEOUT_SECONDS).status_code == 200


def operations() -> list[Operation]:
    config = Config.from_dict({"generation": {"with-security-parameters": False}})
    schema = openapi.from_dict(joint_document(), config=config)
    found = {
        operation.definition.raw["operationId"]: operation
        for operation in map(_ok, schema.get_all_operations())
    }
    assert set(LAST) | ENDLESS <= set(found)
    first = [name for name in found if name not in LAST and name not in ENDLESS]
    # What deletes comes after what looks at it.
    first.sort(key=lambda name: found[name].method == "delete")
    return [found[name] for name in (*first, *LAST)]


def probe(
    operation: Operation,
    services: Served,
    session: requests.Session,
    seen: Counter[int],
    *,
    examples: int,
) -> None:
    names = [parameter.name for parameter in operation.path_parameters]
    real = {name: services.ids[name] for name in names if name in services.ids}
    cases = [operation.as_strategy(), operation.as_strategy(GenerationMode.NEGATIVE)]
    if real:
        cases.append(operation.as_strategy(path_parameters=real))

    @hypothesis.settings(
        max_examples=examples * len(cases),
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(case=st.one_of(*cases))
    def ask(case: AnyCase) -> None:
        answer = case.call(base_url=services.url, session=session, timeout=TIMEOUT_SECONDS)
        seen[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()


def _ok(result: Result[Operation, Any]) -> Operation:
    if isinstance(result, Err):
        raise result.err()
    return result.ok()
