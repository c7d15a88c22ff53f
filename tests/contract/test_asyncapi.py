"""The AsyncAPI document is one, and a producer in another language finds everything in it."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import jsonschema_rs
import pytest

from fleet_cli.stack.places import cache_dir
from fleet_contracts.definitions import definitions
from fleet_contracts.printing.examples import Examples

SPECS = "@asyncapi/specs@6.11.1"
INSTALL_TIMEOUT_S = 90


@pytest.fixture
def document(contracts: Path) -> dict[str, Any]:
    return json.loads((contracts / "asyncapi.json").read_text())


@pytest.fixture(scope="session")
def own_schema(private_environ: Mapping[str, str]) -> Any:
    """AsyncAPI's own schema of a 3.0.0 document, from its npm package, fetched once into the cache."""
    folder = cache_dir(private_environ) / SPECS.replace("/", "-").removeprefix("@")
    schema = folder / "node_modules/@asyncapi/specs/schemas/3.0.0-without-$id.json"
    if not schema.exists():
        install(folder)
    return json.loads(schema.read_text())


def install(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip(f"there is no Node: install it (npm) so that {SPECS} can be fetched")
    command = [npm, "install", "--prefix", str(folder), "--ignore-scripts", "--no-audit", "--no-fund", SPECS]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_TIMEOUT_S)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip(f"npm could not fetch {SPECS}: check that this machine reaches an npm registry")


def references(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for name, value in cast("dict[str, Any]", part).items():
            if name == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(part, list):
        for value in cast("list[Any]", part):
            yield from references(value)


def resolved(document: Any, pointer: str) -> Any:
    for word in pointer.removeprefix("/").split("/"):
        document = document[word.replace("~1", "/").replace("~0", "~")]
    return document


@pytest.mark.sockets
def test_the_document_follows_asyncapi_s_own_schema(document: dict[str, Any], own_schema: Any):
    validator = jsonschema_rs.validator_for(own_schema)
    validator.validate(document)
    document["channels"]["replies"]["bindings"]["amqp"]["is"] = "topic"
    assert not validator.is_valid(document)


def test_every_reference_leads_somewhere(document: dict[str, Any], contracts: Path):
    for reference in references(document):
        file, _, pointer = reference.partition("#")
        target = json.loads((contracts / file).read_text()) if file else document
        assert resolved(target, pointer) if pointer else target


def test_every_operation_s_messages_are_those_of_its_channel(document: dict[str, Any]):
    for operation in document["operations"].values():
        channel = operation["channel"]["$ref"]
        assert all(message["$ref"].startswith(f"{channel}/messages/") for message in operation["messages"])


def test_every_channel_is_used_by_an_operation(document: dict[str, Any]):
    used = {operation["channel"]["$ref"] for operation in document["operations"].values()}
    assert used == {f"#/channels/{name}" for name in document["channels"]}


def test_a_request_is_answered_where_its_reply_to_says(document: dict[str, Any]):
    reply = document["operations"]["receiveRequests"]["reply"]
    assert reply["address"]["location"] == "$message.header#/reply_to"
    assert document["channels"]["replies"]["address"] is None


def test_every_exchange_and_queue_is_one_that_is_declared(document: dict[str, Any]):
    declared = definitions()
    exchanges = {exchange["name"]: exchange["type"] for exchange in declared["exchanges"]}
    queues = {queue["name"]: queue["arguments"] for queue in declared["queues"]}
    for name, channel in document["channels"].items():
        binding = channel["bindings"]["amqp"]
        if binding["is"] == "routingKey":
            assert exchanges[binding["exchange"]["name"]] == binding["exchange"]["type"]
        elif name != "replies":
            assert queues[binding["queue"]["name"]] == binding["x-arguments"]


def test_every_example_stands_in_its_message(document: dict[str, Any], examples: Examples):
    for name, message in document["components"]["messages"].items():
        assert [example["name"] for example in message["examples"]] == sorted(examples[name])


def test_the_document_names_no_host(document: dict[str, Any]):
    assert document["servers"]["broker"]["host"] == "{host}:{port}"
