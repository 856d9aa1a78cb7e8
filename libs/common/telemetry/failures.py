"""What logs, spans and notes say of an error: kinds, codes and places, never anybody's values.

Messages of errors quote what they are about: a form's field, a row, a header, a file's metadata.
So only those are told whose words are our own, a protocol's or the system's.
"""

import traceback
from collections.abc import Iterator

from libs.common.errors import FindMeError

#: Of one error, the frames nearest to where it was raised.
MAX_FRAMES = 25
#: Of errors that were raised of one another.
MAX_CAUSES = 6
MAX_CHARACTERS = 16_000
#: Begins a note of ours: see `note_of_worker`.
WORKER_NOTE = "in the worker process:"
_CAUSED_BY = "\ncaused by:\n"
#: The broker's words are of queues and connections.
_BROKERS = ("aiormq.", "aio_pika.")


def kind_of(error: BaseException) -> str:
    """Return the error's class, with its module unless that is Python's own."""
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def words(error: BaseException) -> str:
    """Return what may be told of an error and of what caused it, in one line."""
    told: list[str] = []
    for one in _chain(error):
        said = _words(one)
        if said not in told:
            told.append(said)
    return ", by ".join(told)[:MAX_CHARACTERS]


def stack_of(error: BaseException) -> str:
    """Return where the error and its causes were raised, without local variables.

    What comes last was raised first: whoever reads from the top sees what was handled last.
    """
    told: list[str] = []
    for one in _chain(error):
        frames = traceback.extract_tb(one.__traceback__)[-MAX_FRAMES:]
        parts = ["".join(traceback.format_list(frames)) + _words(one)]
        parts += [note for note in getattr(one, "__notes__", ()) if _is_ours(note)]
        told.append("\n".join(parts))
    return _CAUSED_BY.join(told)[:MAX_CHARACTERS]


def note_of_worker(error: BaseException) -> str:
    """Return what is noted at an error that leaves its process, where its traceback stays."""
    return f"{WORKER_NOTE}\n{stack_of(error)}"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting and len(seen) < MAX_CAUSES:
        one = waiting.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting.append(one.__cause__ or (None if one.__suppress_context__ else one.__context__))
        if isinstance(one, BaseExceptionGroup):
            waiting.extend(reversed(one.exceptions))


def _words(error: BaseException) -> str:
    kind = kind_of(error)
    if sqlstate := _text(error, "sqlstate"):
        about = [f"SQLSTATE {sqlstate}"]
        about += [
            f"{name.partition('_')[0]} {value}"
            for name in ("table_name", "column_name", "constraint_name")
            if (value := _text(error, name))
        ]
        return f"{kind}: {', '.join(about)}"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{kind}: {error.strerror}"
    if code := _code_of_aws(error):
        return f"{kind}: {code}"
    is_ours = isinstance(error, FindMeError) and not error.quotes_caller
    if is_ours or type(error).__module__.startswith(_BROKERS):
        return f"{kind}: {error}"
    return kind


def _text(error: BaseException, name: str) -> str:
    value = getattr(error, name, None)
    return value if isinstance(value, str) else ""


def _code_of_aws(error: BaseException) -> str:
    """Return the code by which AWS and its like refuse, and the operation."""
    answer = getattr(error, "response", None)
    if not isinstance(answer, dict) or not isinstance(answer.get("Error"), dict):
        return ""
    return f"{answer['Error'].get('Code', '?')} at {getattr(error, 'operation_name', '?')}"


def _is_ours(note: object) -> bool:
    return isinstance(note, str) and note.startswith(WORKER_NOTE)
