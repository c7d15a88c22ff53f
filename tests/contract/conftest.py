"""The files of the contract, and a second JSON Schema implementation to check them with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from fleet_contracts.printing.examples import Examples, read_examples

CONTRACTS = Path(__file__).parents[2] / "contracts"
EXAMPLES = read_examples(CONTRACTS / "examples")
SCHEMAS: dict[str, Any] = {
    path.name.removesuffix(".json"): json.loads(path.read_text())
    for path in sorted((CONTRACTS / "schemas").glob("*.json"))
}


@pytest.fixture
def contracts() -> Path:
    return CONTRACTS


@pytest.fixture
def examples() -> Examples:
    return EXAMPLES


@pytest.fixture
def schemas() -> Mapping[str, Any]:
    return SCHEMAS


@pytest.fixture(scope="session")
def validators() -> dict[str, jsonschema_rs.Draft202012Validator]:
    return {name: jsonschema_rs.Draft202012Validator(schema) for name, schema in SCHEMAS.items()}
