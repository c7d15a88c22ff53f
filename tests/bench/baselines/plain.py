"""What a good engineer writes in an afternoon: FastStream in, httpx to the upstream, FastStream out.

Run: `python -m bench.baselines.plain AMQP_URL QUEUE UPSTREAM_URL`
"""

import asyncio
import json
import sys
from typing import Any

import httpx
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitMessage, RabbitQueue

DONE = "[DONE]"


async def main(url: str, queue: str, upstream: str) -> None:
    broker = RabbitBroker(url, logger=None)
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=1000)
    http = httpx.AsyncClient(base_url=upstream, timeout=600, limits=limits)

    @broker.subscriber(
        RabbitQueue(queue, durable=True),
        channel=Channel(prefetch_count=5000),
        ack_policy=AckPolicy.NACK_ON_ERROR,
        no_reply=True,
    )
    async def take(request: dict[str, Any], message: RabbitMessage) -> None:
        whole: list[str] = []
        async with http.stream("POST", "/chat/completions", json=request) as response:
            response.raise_for_status()
            async for line in response.aiter_lines():
                if not line.startswith("data: ") or line[6:] == DONE:
                    continue
                delta = json.loads(line[6:])["choices"][0]["delta"]
                if not delta.get("content"):
                    continue
                await reply(message, {"kind": "chunk", "seq": len(whole), "delta": delta})
                whole.append(delta["content"])
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
