"""Alert and recording rules: sound PromQL, tested, and each with its section of the runbook."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from libs.common.messaging.bus.topology import BUCKETS, findme_topology
from tests.support import promql
from tests.support.monitoring import (
    MONITORING,
    PROJECT,
    RULE_TESTS,
    RULES,
    alerts,
    recorded,
)

RUNBOOK = PROJECT / "docs" / "operate" / "runbook.md"
SEVERITIES = {"warning", "critical"}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian's package prometheus has it)")
    return subprocess.run(
        [program, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )


def anchors(markdown: str) -> set[str]:
    """The anchors of a text's headings, as GitHub and GitLab make them."""
    headings = re.findall(r"^#+ (.+)$", markdown, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def cases_of_alerts() -> list[tuple[str, bool]]:
    """(alert, whether it is to fire) of every unit test of the rules."""
    return [
        (case["alertname"], bool(case["exp_alerts"]))
        for path in RULE_TESTS
        for test in yaml.safe_load(path.read_text())["tests"]
        for case in test["alert_rule_test"]
    ]


def alert(name: str) -> dict[str, Any]:
    return next(rule for rule in alerts() if rule["alert"] == name)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_promtool_finds_no_fault_in_the_rules(path: Path) -> None:
    checked = promtool("check", "rules", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", RULE_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_when_they_should_and_only_then(path: Path) -> None:
    tested = promtool("test", "rules", path)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_promtool_finds_no_fault_in_the_scrape_configuration() -> None:
    checked = promtool("check", "config", MONITORING / "prometheus" / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    wanted = {(rule["alert"], fires) for rule in alerts() for fires in (True, False)}
    assert set(cases_of_alerts()) == wanted


def test_every_alert_says_how_bad_it_is_what_is_wrong_and_where_help_is() -> None:
    for rule in alerts():
        assert re.fullmatch(r"FindMe[A-Z]\w+", rule["alert"])
        assert rule["labels"]["severity"] in SEVERITIES, rule["alert"]
        annotations = rule["annotations"]
        assert annotations.keys() == {"summary", "description", "runbook_url"}, rule["alert"]
        assert annotations["summary"].endswith((".", "}."))
        assert annotations["description"].endswith(".")


def test_every_alert_has_its_section_of_the_runbook() -> None:
    there = anchors(RUNBOOK.read_text())
    for rule in alerts():
        file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert file == RUNBOOK.relative_to(PROJECT).as_posix()
        assert anchor in there, rule["alert"]


def test_the_runbook_names_every_alert_in_the_section_that_the_alert_points_to() -> None:
    sections = re.split(r"^## ", RUNBOOK.read_text(), flags=re.MULTILINE)
    by_anchor = {
        next(iter(anchors(f"# {section.splitlines()[0]}"))): section for section in sections[1:]
    }
    for rule in alerts():
        anchor = rule["annotations"]["runbook_url"].partition("#")[2]
        assert f"`{rule['alert']}`" in by_anchor[anchor]
    named = set(re.findall(r"`(FindMe[A-Z]\w+)`", RUNBOOK.read_text()))
    assert named == {rule["alert"] for rule in alerts()}


def test_names_are_unique() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))


def test_what_a_rule_reads_from_another_is_recorded_before_it_in_its_own_group() -> None:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            so_far: set[str] = set()
            for rule in group["rules"]:
                read = {use.metric for use in promql.uses(rule["expr"])} & recorded().keys()
                assert read <= so_far, rule
                so_far.add(rule.get("record", ""))


def test_numbers_of_the_code_that_rules_repeat_are_the_codes() -> None:
    topology = findme_topology()
    assert alert("FindMePartitionWithoutOwner")["expr"].endswith(f"< {BUCKETS}")
    limits = {queue.max_length for queue in topology.queues}
    full = alert("FindMeQueueNearlyFull")["expr"]
    assert {int(number) for number in re.findall(r"> (\d+)", full)} == {
        *(limit * 4 // 5 for limit in limits),
        topology.dead_letters.max_length * 4 // 5,
    }


def test_the_queues_that_rules_watch_for_consumers_are_those_that_are_consumed() -> None:
    [use] = promql.uses(alert("FindMeQueueWithoutConsumer")["expr"])
    [(_, _, pattern)] = [matcher for matcher in use.matchers if matcher[0] == "queue"]
    topology = findme_topology()
    for queue in (*topology.queues, topology.dead_letters):
        assert re.fullmatch(pattern, queue.name)
    assert not re.fullmatch(pattern, "findme.retry.5s")


def test_prometheus_asks_every_service_and_the_broker() -> None:
    config = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text())
    jobs = [job["job_name"] for job in config["scrape_configs"]]
    services = ["ingest", "ftp", "recognition", "gallery", "media"]
    assert jobs == [*services, "rabbitmq", "rabbitmq-queues"]
    [target] = promql.uses(alert("FindMeTargetDown")["expr"])
    [(_, _, pattern)] = target.matchers
    assert all(re.fullmatch(pattern, job) for job in [*jobs, "findme", "findme/findme-mq"])


def test_alerts_are_sent_to_people_by_what_is_configured() -> None:
    """Alertmanager's own check (amtool) is run where it is installed."""
    path = MONITORING / "alertmanager" / "alertmanager.yml"
    config = yaml.safe_load(path.read_text())
    compose = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())
    [receiver] = config["receivers"]
    [webhook] = receiver["webhook_configs"]
    secret = webhook["url_file"].removeprefix("/run/secrets/")
    assert secret in compose["services"]["alertmanager"]["secrets"]
    assert config["route"]["receiver"] == receiver["name"]
    matchers = [
        *(one for route in config["route"]["routes"] for one in route["matchers"]),
        *(one for rule in config["inhibit_rules"] for one in rule["source_matchers"]),
        *(one for rule in config["inhibit_rules"] for one in rule["target_matchers"]),
    ]
    for label, value in (re.fullmatch(r'(\w+)="(\w+)"', one).groups() for one in matchers):  # type: ignore[union-attr]
        known = SEVERITIES if label == "severity" else {rule["alert"] for rule in alerts()}
        assert value in known
    prometheus = yaml.safe_load((MONITORING / "prometheus" / "prometheus.yml").read_text())
    [manager] = prometheus["alerting"]["alertmanagers"]
    assert manager["static_configs"] == [{"targets": ["alertmanager:9093"]}]
    if program := shutil.which("amtool"):
        checked = subprocess.run([program, "check-config", path], capture_output=True, check=False)
        assert checked.returncode == 0, checked.stdout
