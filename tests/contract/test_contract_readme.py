"""The page for people leaves nothing out, and leads nowhere that is not there."""

import re
from pathlib import Path

import pytest

from fleet_contracts import headers
from fleet_contracts.grammar import Lane, OnBreak, RequestType
from fleet_contracts.printing.request_envelope import RequestProperties
from fleet_contracts.reply import KINDS
from fleet_contracts.topology import RETRY, reply_queue, topology


@pytest.fixture
def page(contracts: Path) -> str:
    return (contracts / "README.md").read_text()


def test_it_names_every_header_and_property_of_a_request_and_a_reply(page: str):
    names = {
        name
        for key, name in vars(headers).items()
        if key.isupper() and not key.startswith(("DEAD_", "KEPT_"))
    }
    properties = set(RequestProperties.model_fields) - {"headers"}
    assert {name for name in names | properties if f"`{name}`" not in page} == set()


def test_it_names_every_exchange_and_queue(page: str):
    parts = topology()
    names = {part.name for part in (*parts.exchanges, *parts.queues) if not part.name.startswith(f"{RETRY}.")}
    assert {name for name in names if f"`{name}`" not in page} == set()
    assert f"`{RETRY}.<seconds>`" in page


def test_it_tells_of_every_kind_type_lane_and_choice(page: str):
    words = [*KINDS, *RequestType, *Lane, *OnBreak]
    assert [word for word in words if f"`{word}`" not in page] == []


def test_it_tells_how_to_declare_a_reply_queue(page: str):
    told = ", ".join(f"{name}: {value}" for name, value in reply_queue("acme", "x").arguments.items())
    assert f"arguments  {told}" in page


def test_its_links_lead_to_files(page: str, contracts: Path):
    links = re.findall(r"\]\((?!http)([^)#]+)\)", page)
    assert links
    assert [link for link in links if not (contracts / link).exists()] == []
