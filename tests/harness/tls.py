"""A broker and a store that also listen with TLS, and the certificates to get in."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
import trustme

from fleet_chassis.clock import SystemClock
from fleet_chassis.store import open_store
from fleet_cli.stack.ports import free_ports
from harness.broker import SharedBroker

LISTEN = """
{{ok, _}} = application:ensure_all_started(ssl),
ok = rabbit_networking:start_ssl_listener({port}, [{{cacertfile, "{ca}"}}, {{certfile, "{own}"}},
  {{keyfile, "{own}"}}, {{verify, verify_peer}}, {{fail_if_no_peer_cert, true}}], 2).
"""


@dataclass(frozen=True, slots=True)
class Papers:
    """Files in PEM: whom to trust, and who one is."""

    ca: Path
    server: Path
    client: Path

    def broker(self, url: str, port: int) -> str:
        """The broker's URL with TLS, as this client."""
        return _with(url, "amqps", port, cafile=self.ca, certfile=self.client, keyfile=self.client)

    def store(self, url: str, port: int) -> str:
        """The store's URL with TLS, as this client."""
        return _with(
            url, "rediss", port, ssl_ca_certs=self.ca, ssl_certfile=self.client, ssl_keyfile=self.client
        )


def papers_in(folder: Path) -> Papers:
    """An authority of its own, with a certificate for the servers on the loopback and one for a client."""
    folder.mkdir()
    authority, papers = trustme.CA(), Papers(folder / "ca.pem", folder / "server.pem", folder / "client.pem")
    authority.cert_pem.write_to_path(papers.ca)
    for file, name in ((papers.server, "127.0.0.1"), (papers.client, "worker.fleet")):
        authority.issue_cert(name).private_key_and_cert_chain_pem.write_to_path(file)
    return papers


@asynccontextmanager
async def broker_with_tls(broker: SharedBroker, papers: Papers) -> AsyncGenerator[int]:
    """The port on which the broker speaks TLS, with those alone who have a certificate of this authority."""
    if await broker.evaluate(f'filelib:is_file("{papers.server}").') != "true":
        pytest.skip("the broker sees no file of this machine, as one in a container")
    (port,) = free_ports(1)
    await broker.evaluate(_line(LISTEN.format(port=port, ca=papers.ca, own=papers.server)))
    yield port


@asynccontextmanager
async def broker_by_tls_alone(broker: SharedBroker, papers: Papers) -> AsyncGenerator[int]:
    """As `broker_with_tls`; while the block runs, nobody gets in without."""
    async with broker_with_tls(broker, papers) as port:
        at = urlsplit(broker.url)
        plain = f'{{"{at.hostname}", {at.port}}}'
        await broker.evaluate(f"rabbit_networking:stop_tcp_listener({plain}).")
        try:
            yield port
        finally:
            await broker.evaluate(f"ok = rabbit_networking:start_tcp_listener({plain}, 10).")


@asynccontextmanager
async def store_by_tls_alone(url: str, papers: Papers) -> AsyncGenerator[str]:
    """The URL by which alone the store is reached while the block runs, with the database of `url`."""
    guarded = papers.store(url, await store_with_tls(url, papers))
    try:
        yield guarded
    finally:
        async with open_store(guarded, 5.0, SystemClock()) as store:
            await store.command("CONFIG", "SET", "port", urlsplit(url).port)


async def store_with_tls(url: str, papers: Papers) -> int:
    """Let the store speak TLS with those who have a certificate, and nothing else with others; its port."""
    (port,) = free_ports(1)
    async with open_store(url, 5.0, SystemClock()) as store:
        told = {"tls-ca-cert-file": papers.ca, "tls-cert-file": papers.server, "tls-key-file": papers.server}
        files = [str(part) for pair in told.items() for part in pair]
        await store.command("CONFIG", "SET", *files, "tls-auth-clients", "yes", "tls-port", port)
        await store.command("CONFIG", "SET", "port", 0)
    return port


def _with(url: str, scheme: str, port: int, **options: Path) -> str:
    where = urlsplit(url)
    user, at, _ = where.netloc.rpartition("@")
    query = urlencode({name: str(value) for name, value in options.items()})
    return where._replace(scheme=scheme, netloc=f"{user}{at}127.0.0.1:{port}", query=query).geturl()


def _line(expression: str) -> str:
    return " ".join(expression.split())
