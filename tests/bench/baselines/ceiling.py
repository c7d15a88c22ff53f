"""The ceiling: the least Python that moves an upstream's events to a reply queue, and keeps no promise.

Raw sockets on both sides, each event's bytes put into a message as they are. No confirms, no retries, no
limits, no errors, no order across reconnects.
Run: `python -m bench.baselines.ceiling AMQP_URL QUEUE UPSTREAM_URL`
"""

import asyncio
import sys
from typing import Any
from urllib.parse import urlsplit

import uvloop

from bench.load.amqp import Amqp, Properties, publication, publish_method


class Worker:
    """Takes requests, opens a connection for each, and writes what is ready once a turn of the loop."""

    def __init__(self, upstream: str) -> None:
        parts = urlsplit(upstream)
        self.address = (parts.hostname or "", parts.port or 0)
        self.client: Amqp
        self._frames: list[bytes] = []
        self._opening: set[asyncio.Future[Any]] = set()

    def take(self, tag: int, header: bytes, body: bytes) -> None:
        # content type, delivery mode, correlation id, reply to: as the bench's caller writes them.
        at = 14 + 1 + header[14] + 1
        correlation_id = header[at + 1 : at + 1 + header[at]].decode()
        at += 1 + header[at]
        reply_to = header[at + 1 : at + 1 + header[at]].decode()
        opening = asyncio.get_running_loop().create_connection(
            lambda: Stream(self, tag, correlation_id, reply_to, body), *self.address
        )
        self._opening.add(task := asyncio.ensure_future(opening))
        task.add_done_callback(self._opening.discard)

    def send(self, frames: bytes) -> None:
        if not self._frames:
            asyncio.get_running_loop().call_soon(self._flush)
        self._frames.append(frames)

    def _flush(self) -> None:
        self.client.write(b"".join(self._frames))
        self._frames.clear()


class Stream(asyncio.Protocol):
    """One call."""

    def __init__(self, worker: Worker, tag: int, correlation_id: str, reply_to: str, body: bytes) -> None:
        self._worker = worker
        self._tag = tag
        self._method = publish_method("", reply_to)
        self._properties = Properties(correlation_id, type="chunk.v1")
        self._body = body
        self._texts: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        head = f"POST /chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(self._body)}\r\n\r\n"
        transport.write(head.encode() + self._body)

    def data_received(self, data: bytes) -> None:
        at = data.find(b"data: {")
        while at >= 0:
            end = data.find(b"\n\n", at)
            event = data[at + 6 : end]
            self._texts.append(event)
            self._send(b'{"kind":"chunk","event":' + event + b"}")
            at = data.find(b"data: {", end)
        if b"data: [DONE]" in data:
            self._send(b'{"kind":"result","events":[' + b",".join(self._texts) + b"]}")
            self._worker.client.ack(self._tag)
            self._transport.close()

    def _send(self, body: bytes) -> None:
        self._worker.send(publication(self._method, self._properties, body))


async def main(url: str, queue: str, upstream: str) -> None:
    worker = Worker(upstream)
    worker.client = await Amqp.connect(url, worker.take)
    await worker.client.declare(queue)
    await worker.client.consume(queue, prefetch=5000)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
