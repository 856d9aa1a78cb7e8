"""What PostgreSQL alone does: the statements of a list by pgbench, with nothing around them."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from sqlalchemy.engine import make_url

from benchmarks.gallery.events import HotEvent

_COLUMNS = """id, event_id, filename, original_filename, content_type, photographer_id, uploaded_at,
    width, height, taken_at, taken_at_offset, taken_instant, placeholder, show_in_general,
    processing_status"""
_IDS = """
SELECT array_agg(photo_id) AS ids FROM (
    SELECT m.photo_id FROM matches m
    WHERE m.event_id = {event} AND m.user_id = :guest AND m.similarity >= (
        SELECT coalesce(e.match_threshold, s.threshold)
        FROM events e JOIN matching_settings s ON s.id = 1 WHERE e.id = {event})
    AND NOT EXISTS (SELECT 1 FROM match_overrides o WHERE o.user_id = m.user_id
        AND o.event_id = m.event_id AND o.photo_id = m.photo_id AND o.verdict = 'not_me')
    UNION ALL
    SELECT photo_id FROM match_overrides
    WHERE event_id = {event} AND user_id = :guest AND verdict = 'added') AS shown \\gset
"""
_MY_PAGE = """
SELECT {columns} FROM photos WHERE event_id = {event} AND id = ANY (CAST(:ids AS bigint[]))
ORDER BY uploaded_at DESC, id DESC LIMIT 201;
"""
_PAGE = """
SELECT {columns} FROM photos WHERE event_id = {event} AND show_in_general IS NOT FALSE
ORDER BY uploaded_at DESC, id DESC LIMIT 201;
"""
_GUEST = "\\set guest random({first}, {last})\n"


class PgBench:
    """Runs scripts on a database with 8 connections."""

    def __init__(self, database_url: str, event: HotEvent) -> None:
        self._url = make_url(database_url)
        names = {
            "columns": _COLUMNS,
            "event": event.id,
            "first": event.guests[0].id,
            "last": event.guests[-1].id,
        }
        self.my_photos = (_GUEST + _IDS + _MY_PAGE).format(**names)
        self.all_photos = (_GUEST + _IDS + _PAGE).format(**names)

    def per_second(self, script: str, *, seconds: float) -> float:
        """Return how often the script is run."""
        url = self._url
        host = url.host or str(url.query.get("host", ""))
        with tempfile.TemporaryDirectory(prefix="findme-bench-") as folder:
            file = Path(folder) / "list.sql"
            file.write_text(script)
            command = [_program(), "-n", "-M", "prepared", "-c", "8", "-j", "1"]
            command += ["-T", f"{seconds:.0f}", "-f", str(file), "-h", host]
            command += ["-U", url.username or "", *(["-p", str(url.port)] if url.port else [])]
            told = subprocess.run(
                [*command, url.database or ""],
                check=True,
                capture_output=True,
                text=True,
                env={"PGPASSWORD": str(url.password or "")},
            ).stdout
        found = re.search(r"tps = ([0-9.]+)", told)
        if found is None:
            raise RuntimeError(told)
        return float(found[1])


def _program() -> str:
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), reverse=True)
    found = shutil.which("pgbench") or next((str(one) for one in candidates), None)
    if found is None:
        raise RuntimeError("pgbench is not installed: it comes with PostgreSQL's programs.")
    return found
