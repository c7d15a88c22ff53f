"""Faults of a broker of three nodes: leaders killed, nodes stopped one by one, most of them, and cut off.

A reply queue lives on one node. While that one is away, ends are told on the results' topic alone; so the
callers ask again for what they have not heard, which must cost nothing.
"""

import asyncio
from collections.abc import Sequence

from chaos.catalogue.entry import entry
from chaos.catalogue.looking import every_worker_consumes, vhost_of
from chaos.catalogue.stage import Stage
from fleet_cli.stack.ports import LOOPBACK
from fleet_contracts.topology import REQUESTS
from harness.cluster import Cluster, ClusterNode
from harness.proxy import Proxy


def _cluster(stage: Stage) -> Cluster:
    assert isinstance(stage.scene.broker, Cluster)
    return stage.scene.broker


def _lines(stage: Stage) -> list[Proxy]:
    return [stage.near, *(member.broker for member in stage.scene.crew.members)]


def _spread(stage: Stage, nodes: Sequence[ClusterNode]) -> None:
    """Lead everybody to one of these nodes, in turn, as a balancer with a look at their health does."""
    for number, line in enumerate(_lines(stage)):
        line.lead_to(LOOPBACK, nodes[number % len(nodes)].ports.amqp)
        line.reset()


async def _leader(stage: Stage) -> ClusterNode:
    return await _cluster(stage).leader_of(REQUESTS, vhost_of(stage.scene.url))


async def _asks_another_than(stage: Stage, node: ClusterNode) -> None:
    """Let rabbitmqctl ask a node that stays."""
    cluster = _cluster(stage)
    stays = next(each for each in cluster.nodes if each is not node)
    cluster.ask_at(stays)


@entry(
    10,
    "three nodes: kill -9 of the one that leads the requests, and its return",
    "nothing confirmed is lost; calls go on, and each is paid once",
    nodes=3,
)
async def leader_killed(stage: Stage) -> None:
    cluster = _cluster(stage)
    _spread(stage, cluster.nodes)
    leader = await _leader(stage)
    await _asks_another_than(stage, leader)
    rest = [node for node in cluster.nodes if node is not leader]
    async with stage.load(20):
        await asyncio.sleep(5)
        await leader.kill()
        _spread(stage, rest)
        stage.mended()
        await asyncio.sleep(5)
        now = await _leader(stage)
        stage.must(now is not leader, "another node leads")
        await leader.start()
    stage.note("publishes in vain", stage.caller.in_vain)
    await stage.ask_again()
    await stage.paid_once()


@entry(
    11,
    "three nodes: each restarted in turn",
    "nothing lost; every call paid once; every worker consumes again",
    nodes=3,
    within_s=90,
)
async def rolling_restart(stage: Stage) -> None:
    cluster = _cluster(stage)
    _spread(stage, cluster.nodes)
    async with stage.load(30):
        for node in cluster.nodes:
            await asyncio.sleep(2)
            rest = [each for each in cluster.nodes if each is not node]
            await _asks_another_than(stage, node)
            await node.stop()
            _spread(stage, rest)
            await node.start()
            _spread(stage, cluster.nodes)
        stage.mended()
    await stage.ask_again()
    await stage.paid_once()
    await every_worker_consumes(stage)


@entry(
    12,
    "three nodes: two of them stand still for 15 s, and nobody is told",
    "publishes are not confirmed meanwhile; then all goes on, nothing is lost or paid again",
    nodes=3,
    within_s=90,
)
async def minority(stage: Stage) -> None:
    cluster = _cluster(stage)
    stays, *others = cluster.nodes
    _spread(stage, [stays])
    async with stage.load():
        await asyncio.sleep(5)
        for node in others:
            await node.stand_still()
        await asyncio.sleep(3)
        ends = stage.caller.ends
        await asyncio.sleep(12)
        stage.note("ends without a majority", stage.caller.ends - ends)
        in_vain = stage.caller.in_vain
        for node in others:
            await node.go_on()
        stage.mended()
    stage.must(in_vain > 0, "publishes were not confirmed without a majority: else nothing was tried")
    await stage.ask_again()
    await stage.paid_once()


@entry(
    13,
    "three nodes: one is cut off from the others, with the callers and a worker on its side, and comes back",
    "the side with two goes on; nothing confirmed is lost",
    nodes=3,
    within_s=90,
)
async def partition(stage: Stage) -> None:
    cluster = _cluster(stage)
    first, second, alone = cluster.nodes
    _spread(stage, [alone, first, second])
    cluster.ask_at(first)
    async with stage.load(20):
        await asyncio.sleep(5)
        await cluster.part(alone)
        await asyncio.sleep(8)
        in_vain = stage.caller.in_vain
        _spread(stage, [first, second])
        await asyncio.sleep(1)
        await stage.until_ended(stage.caller.ends + 8)  # by the side with two, while the cut lasts
        await cluster.rejoin(alone)
        stage.mended()
    stage.note("publishes in vain", in_vain)
    stage.must(in_vain > 0, "the side with one confirms nothing: else nothing was tried")
    await stage.ask_again()
    await stage.paid_once()
