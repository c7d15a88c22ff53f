import aio_pika
import aio_pika.exceptions
import pytest

from harness.broker import SharedBroker


async def test_a_message_comes_back_out_of_a_fresh_virtual_host(vhost: str) -> None:
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        queue = await channel.declare_queue("q", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"hello"), "q")
        message = await queue.get(timeout=30)
        await message.ack()
    assert message.body == b"hello"


async def test_two_virtual_hosts_do_not_see_each_others_queues(vhost: str, broker: SharedBroker) -> None:
    other = await broker.add_vhost("another")
    async with await aio_pika.connect(vhost) as here, await aio_pika.connect(other) as there:
        await (await here.channel()).declare_queue("q")
        with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
            await (await there.channel()).get_queue("q")
    await broker.delete_vhost("another")


async def test_what_was_confirmed_is_still_there_after_a_kill(vhost: str, broker: SharedBroker) -> None:
    async with await aio_pika.connect(vhost) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        await channel.default_exchange.publish(aio_pika.Message(b"confirmed"), "kept")
        await broker.settle()
        await broker.kill()
    await broker.restart()
    async with await aio_pika.connect(vhost) as connection:
        queue = await (await connection.channel()).get_queue("kept")
        message = await queue.get(timeout=30)
        await message.ack()
    assert message.body == b"confirmed"
