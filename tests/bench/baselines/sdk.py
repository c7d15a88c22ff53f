"""The same worker as plain.py, with the `openai` SDK in place of httpx alone.

Run: `python -m bench.baselines.sdk AMQP_URL QUEUE UPSTREAM_URL`
"""

import asyncio
import json
import sys
from typing import Any

from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue
from openai import AsyncOpenAI


async def main(url: str, queue: str, upstream: str) -> None:
    broker = RabbitBroker(url, logger=None)
    client: Any = AsyncOpenAI(base_url=upstream, api_key="sk-bench", timeout=600, max_retries=0)

    @broker.subscriber(
        RabbitQueue(queue, durable=True),
        channel=Channel(prefetch_count=5000),
        ack_policy=AckPolicy.NACK_ON_ERROR,
        no_reply=True,
    )
    async def take(request: dict[str, Any], message: RabbitMessage) -> None:
        whole: list[str] = []
        async for chunk in await client.chat.completions.create(**request):
            if not chunk.choices or not chunk.choices[0].delta.content:
                continue
            delta = chunk.choices[0].delta
            await reply(message, {"kind": "chunk", "seq": len(whole), "delta": delta.model_dump()})
            whole.append(delta.content or "")
        await reply(message, {"kind": "result", "text": "".join(whole)})

    async def reply(message: RabbitMessage, body: dict[str, Any]) -> None:
        # Compact, so that the bench's reader finds the kind where it looks for it.
        await broker.publish(
            json.dumps(body, separators=(",", ":")).encode(),
            routing_key=message.reply_to,
            correlation_id=message.correlation_id,
            content_type="application/json",
            persist=True,
        )

    await broker.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
