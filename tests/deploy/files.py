"""The deployment files, parsed, and what they are checked against (schemas/README.md)."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import yaml

from tests.programs import ROOT

DEPLOY = ROOT / "deploy"
SCHEMAS = Path(__file__).parent / "schemas"
RESOURCES = sorted(
    path
    for folder in ("cluster", "components", "kubernetes", "compose")
    for path in (DEPLOY / folder).rglob("*.yaml")
    if path.name != "kustomization.yaml"
)
KUBERNETES = [path for path in RESOURCES if path.parent.name in {"kubernetes", "cluster"}]


def documents(path: Path) -> list[dict]:
    return [document for document in yaml.safe_load_all(path.read_text()) if document]


def metadata(component: dict) -> dict[str, object]:
    """A component's settings by name."""
    return {
        each["name"]: each.get("value", each.get("secretKeyRef")) for each in component["spec"]["metadata"]
    }


def workloads() -> Iterator[dict]:
    for path in KUBERNETES:
        for document in documents(path):
            if document["kind"] in {"Deployment", "StatefulSet"}:
                yield document


@functools.cache
def schema(name: str) -> dict:
    return json.loads((SCHEMAS / f"{name}.json").read_text())


def check(document: dict) -> None:
    """Raise `jsonschema.ValidationError` for a resource that its cluster would not take."""
    name = "dapr" if document["apiVersion"].startswith("dapr.io/") else "kubernetes"
    kinds = schema(name)["kinds"]
    assert document["kind"] in kinds, f"no schema of {document['kind']}"
    whole = {**kinds[document["kind"]], "definitions": schema(name).get("definitions", {})}
    jsonschema.validate(document, whole)
