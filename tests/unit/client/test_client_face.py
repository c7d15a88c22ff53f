"""What the package offers."""

import ast
from pathlib import Path

import pytest

import fleet_client
from fleet_client import Fleet, FleetClosed


def test_the_public_names_are_sorted_and_exist() -> None:
    assert fleet_client.__all__ == sorted(fleet_client.__all__)
    assert all(hasattr(fleet_client, name) for name in fleet_client.__all__)


def test_every_error_is_public() -> None:
    from fleet_client import errors

    kinds = {name for name, value in vars(errors).items() if isinstance(value, type)}
    made_here = {name for name in kinds if issubclass(getattr(errors, name), Exception)}
    assert made_here <= set(fleet_client.__all__)


def test_only_the_broker_part_knows_aio_pika() -> None:
    package = Path(fleet_client.__file__).parent
    importers = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        and any(name.split(".")[0] in {"aio_pika", "aiormq"} for name in _imported(node))
    }
    assert importers == {"broker"}


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names]


async def test_asking_outside_of_async_with_says_what_to_write() -> None:
    fleet = Fleet("amqp://localhost/")
    with pytest.raises(FleetClosed, match=r"async with Fleet"):
        await fleet.complete("hello")
    with pytest.raises(FleetClosed, match=r"async with Fleet"):
        await anext(fleet.stream("hello"))


@pytest.mark.parametrize("url", ["localhost", "localhost:5672", "http://localhost/", "amqp://host:port/", ""])
def test_a_malformed_url_is_told_at_once_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="must look like amqp://"):
        Fleet(url)


def test_a_malformed_tenant_is_told_at_once() -> None:
    with pytest.raises(ValueError, match="tenant must be"):
        Fleet("amqp://localhost/", tenant="a.b")
