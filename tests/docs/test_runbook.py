"""What operators read shows commands, queries and settings that exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from cli.app import app
from tests.docs.test_readme import SETTINGS
from tests.support import promql
from tests.support.exposed import registered
from tests.support.monitoring import FOREIGN

PROJECT = Path(__file__).parents[2]
RUNBOOK = (PROJECT / "docs" / "operate" / "runbook.md").read_text()
#: All that shows commands.
SHOWING = "\n".join(
    [
        (PROJECT / "README.md").read_text(),
        *(path.read_text() for path in sorted((PROJECT / "docs").rglob("*.md"))),
    ]
)
#: PostgreSQL's and Grafana's words, and what stands for a number.
NOT_SETTINGS = {"DATABASE_URL", "VACUUM", "ANALYZE", "NN"}


def blocks(language: str, text: str = RUNBOOK) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def shown_commands(program: str) -> list[str]:
    """Command lines of blocks, and those that stand in the text as code."""
    lines = [
        line.split("  #")[0].split(" | ")[0].removeprefix(".venv/bin/")
        for text in blocks("sh", SHOWING)
        for line in text.splitlines()
    ]
    return sorted(
        {
            code
            for code in [*lines, *re.findall(r"`([^`\n]+)`", SHOWING)]
            if code.startswith(f"{program} ")
        }
    )


EXPRESSIONS = [line for block in blocks("promql") for line in block.strip().splitlines()]


@pytest.mark.parametrize("line", shown_commands("findme"))
def test_every_findme_command_exists_with_its_options(line: str) -> None:
    command, words = typer.main.get_command(app), shlex.split(line)[1:]
    while commands := getattr(command, "commands", None):
        assert words[0] in commands, f"there is no `{words[0]}`"
        command = commands[words.pop(0)]
    options = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= options


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_query_names_metrics_and_labels_that_exist(expression: str) -> None:
    known = registered() | FOREIGN
    for use in promql.uses(expression):
        assert use.metric in known
        assert use.labels <= known[use.metric].labels


def test_every_metric_that_the_text_names_exists() -> None:
    named = set(re.findall(r"`(findme_\w+)`", RUNBOOK))
    assert named
    assert named <= registered().keys()


def test_every_setting_that_the_text_names_exists() -> None:
    settings = {name.upper() for kind in SETTINGS.values() for name in kind.model_fields}
    named = set(re.findall(r"`([A-Z][A-Z_]{3,})(?:=[^`]*)?`", RUNBOOK))
    assert len(named) > 10
    assert named - NOT_SETTINGS <= settings


def test_every_deployment_that_kubectl_is_shown_for_exists() -> None:
    base = PROJECT / "deploy" / "k8s" / "base"
    objects = [
        document
        for path in base.glob("*.yaml")
        for document in yaml.safe_load_all(path.read_text())
        if isinstance(document, dict) and document.get("kind") == "Deployment"
    ]
    names = {document["metadata"]["name"] for document in objects}
    shown = set(re.findall(r"deployment/([\w-]+)", RUNBOOK))
    assert shown
    assert shown <= names


def test_every_symptom_says_who_says_it_how_to_look_and_when_it_is_over() -> None:
    sections = re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]
    symptoms = [section for section in sections if "**Who says it:**" in section]
    assert len(symptoms) > 20
    for section in symptoms:
        name = section.splitlines()[0]
        assert "**Look:**" in section, name
        assert "**Over when**" in section, name
        assert "| do |" in section or "**Do:**" in section, name
