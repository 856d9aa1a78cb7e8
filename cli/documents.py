"""The documents that clients are generated from."""

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.options import all_of_findme
from libs.common.messaging.asyncapi import Node, asyncapi_document
from libs.common.messaging.bus.topology import findme_topology

Output = Annotated[
    Path | None, typer.Option(dir_okay=False, help="Write it there instead of printing it.")
]


def openapi(output: Output = None) -> None:
    """Print the OpenAPI document of all routes."""
    with all_of_findme():
        from standalone.api_document import joint_document
    _put(encoded(joint_document()), output)


def asyncapi(output: Output = None) -> None:
    """Print the AsyncAPI document of the messages between services."""
    _put(encoded(asyncapi_document(findme_topology())), output)


def _put(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text)


def encoded(document: Node) -> str:
    """Return a document as the text of a file."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"
