"""Types for TypeScript are made of the OpenAPI document, and a client of them compiles."""

import shutil
from pathlib import Path

import pytest

from services.gallery.api_document.routes import DOCUMENT
from tests.support.node import NODE_MODULES, require_node, run_tool

CLIENT = Path(__file__).parents[2] / "clients" / "typescript"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the example and the types, as somebody makes it who writes a client."""
    require_node()
    folder = tmp_path_factory.mktemp("client")
    for name in ("guest.ts", "tsconfig.json"):
        shutil.copy(CLIENT / name, folder / name)
    (folder / "node_modules").symlink_to(NODE_MODULES)
    made = run_tool("openapi-typescript", str(DOCUMENT), "-o", "api.d.ts", folder=folder)
    assert made.returncode == 0, made.stderr
    return folder


def test_the_example_compiles(client: Path) -> None:
    compiled = run_tool("tsc", folder=client)
    assert compiled.returncode == 0, compiled.stdout


WRONG = {
    'api.GET("/api/my-fotos", {});': "my-fotos",
    'api.POST("/api/login", { body: { username: "zoe" } });': "password",
    "export const likeness: string = ({} as UncertainPhoto).similarity;": "string",
}


def test_what_is_not_in_the_document_does_not_compile(client: Path) -> None:
    head = [
        'import createClient from "openapi-fetch";',
        'import type { components, paths } from "./api";',
        "const api = createClient<paths>({});",
        'export type UncertainPhoto = components["schemas"]["UncertainPhoto"];',
    ]
    wrong = client / "wrong.ts"
    wrong.write_text("\n".join([*head, *WRONG]))
    try:
        compiled = run_tool("tsc", folder=client)
    finally:
        wrong.unlink()
    complaints = [line for line in compiled.stdout.splitlines() if line.startswith("wrong.ts(")]
    assert len(complaints) == len(WRONG), compiled.stdout
    for number, (complaint, word) in enumerate(
        zip(complaints, WRONG.values(), strict=True), start=len(head) + 1
    ):
        assert complaint.startswith(f"wrong.ts({number},")
        assert word in complaint
