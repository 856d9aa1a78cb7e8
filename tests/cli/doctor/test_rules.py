"""What `findme doctor` says of what it found."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.doctor import rules
from cli.doctor.rules import GIGABYTE, Finding, State

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
OK, LOOK, ACT = State.OK, State.LOOK, State.ACT


def said(finding: Finding) -> State:
    """Whatever is not well says what to do."""
    assert finding.told
    assert bool(finding.todo) is (finding.state is not OK), finding
    return finding.state


@pytest.mark.parametrize(("gigabytes", "state"), [(1, ACT), (10, LOOK), (30, OK)])
def test_disk_is_counted_in_photos(gigabytes: int, state: State) -> None:
    found = rules.disk(gigabytes * GIGABYTE, photo_bytes=8_000_000, folder="/data")
    assert said(found) is state
    if state is OK:
        assert "3,416 photos" in found.told


def test_a_machine_may_be_too_small() -> None:
    assert said(rules.memory(GIGABYTE // 2)) is ACT
    assert said(rules.memory(GIGABYTE * 3 // 2)) is LOOK
    assert said(rules.memory(8 * GIGABYTE)) is OK
    assert said(rules.memory(None)) is OK


@pytest.mark.parametrize(("workers", "state"), [(1, LOOK), (2, LOOK), (3, OK), (4, OK), (5, LOOK)])
def test_workers_are_as_many_as_cores_or_one_less(workers: int, state: State) -> None:
    assert said(rules.workers(workers, 4)) is state


def test_few_open_files_are_told() -> None:
    assert said(rules.open_files(1024)) is LOOK
    assert said(rules.open_files(65_536)) is OK


def test_an_address_that_no_phone_opens_must_be_changed() -> None:
    assert said(rules.address(None, is_for_phones=False, moved_to=None)) is LOOK
    here, there = "http://127.0.0.1:8000", "http://192.168.1.20:8000"
    assert said(rules.address(here, is_for_phones=False, moved_to=None)) is ACT
    assert said(rules.address(there, is_for_phones=True, moved_to="192.168.1.99")) is ACT
    assert said(rules.address(there, is_for_phones=True, moved_to=None)) is OK
    assert said(rules.answers(there, "refused")) is ACT
    assert said(rules.answers(there, None)) is OK


def test_a_certificate_is_told_of_before_it_ends() -> None:
    https = "https://photos.example.org"

    def of(ends: timedelta | None, url: str = https, problem: str | None = None) -> State:
        return said(rules.tls(url, None if ends is None else NOW + ends, problem, NOW))

    assert of(timedelta(days=60)) is OK
    assert of(timedelta(days=10)) is LOOK
    assert of(timedelta(days=-1)) is ACT
    assert of(timedelta(days=60), problem="it is for somebody else") is ACT
    assert of(None) is OK  # a proxy's
    assert of(None, "http://192.168.1.20:8000") is LOOK


def test_clocks_agree_or_are_set() -> None:
    assert said(rules.clock(off_by_seconds=300, is_synchronised=True)) is ACT
    assert said(rules.clock(off_by_seconds=-300, is_synchronised=None)) is ACT
    assert said(rules.clock(off_by_seconds=0.1, is_synchronised=False)) is LOOK
    assert said(rules.clock(off_by_seconds=0.1, is_synchronised=True)) is OK
    assert said(rules.clock(off_by_seconds=0.1, is_synchronised=None)) is OK


def test_mails_need_a_server_that_answers() -> None:
    assert said(rules.mail(None, None, dead=0)) is LOOK
    assert said(rules.mail("mail.example.org", "refused", dead=0)) is ACT
    assert said(rules.mail("mail.example.org", None, dead=3)) is LOOK
    assert said(rules.mail("mail.example.org", None, dead=0)) is OK


def test_models_are_there_and_whole() -> None:
    assert said(rules.models("m", missing=["yunet"], damaged=[])) is ACT
    assert said(rules.models("m", missing=[], damaged=["yunet"])) is ACT
    assert said(rules.models("m", missing=[], damaged=[])) is OK


def test_backups_are_new_and_elsewhere() -> None:
    def of(age: timedelta | None, *, is_on_same_disk: bool = False) -> State:
        made_at = None if age is None else NOW - age
        found = rules.backups("/b", made_at, is_on_same_disk=is_on_same_disk, now=NOW)
        return said(found)

    assert of(None) is ACT
    assert of(timedelta(days=8)) is ACT
    assert of(timedelta(days=2)) is LOOK
    assert of(timedelta(hours=3), is_on_same_disk=True) is LOOK
    assert of(timedelta(hours=3)) is OK


def test_somebody_can_log_in_and_guests_have_where_to_come() -> None:
    assert said(rules.pages(are_built=False)) is ACT
    assert said(rules.pages(are_built=True)) is OK
    assert said(rules.people(admins=0, photographers=2)) is ACT
    assert said(rules.people(admins=1, photographers=0)) is LOOK
    assert said(rules.people(admins=1, photographers=1)) is OK
    assert said(rules.events({}, NOW)) is LOOK
    soon = rules.events({"Gala": NOW + timedelta(days=1)}, NOW)
    assert said(soon) is LOOK
    assert "Gala on 2026-06-02" in soon.told
    assert said(rules.events({"Gala": NOW + timedelta(days=9)}, NOW)) is OK


def test_what_stands_still_is_told() -> None:
    assert said(rules.work(dead_letters=0, waiting_seconds=300, failed=0)) is LOOK
    assert said(rules.work(dead_letters=2, waiting_seconds=0, failed=0)) is LOOK
    fine = rules.work(dead_letters=0, waiting_seconds=0, failed=7)
    assert said(fine) is OK
    assert "7" in fine.told
