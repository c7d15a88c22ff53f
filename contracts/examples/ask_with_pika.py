"""Ask the fleet one question with plain pika: AMQP_URL=amqp://... python ask_with_pika.py [question]."""
# ruff: noqa: D102, D103, INP001, T201, TID251 -- a script to copy: it prints, and AMQP_URL is all it needs

import json
import os
import sys
import time
import uuid

import pika
from pika.adapters.blocking_connection import BlockingChannel

PATIENCE_S = 120
QUEUE_ARGUMENTS = {
    "x-queue-type": "classic",
    "x-expires": 1_800_000,
    "x-max-length-bytes": 67_108_864,
    "x-overflow": "reject-publish",
}


def main() -> None:
    question = " ".join(sys.argv[1:]) or "Why is the sky blue? One sentence."
    with pika.BlockingConnection(pika.URLParameters(os.environ["AMQP_URL"])) as connection:
        channel = connection.channel()
        channel.confirm_delivery()  # from here on basic_publish raises where the broker did not take it
        queue = f"deepseek.reply.acme.{uuid.uuid4().hex}"
        channel.queue_declare(queue, durable=True, arguments=QUEUE_ARGUMENTS)
        final = read(channel, queue, publish(channel, queue, question))
        channel.queue_delete(queue)
    if final["kind"] == "failure":
        sys.exit(f"{final['code']}: {final['message']}")
    print(final["response"]["choices"][0]["message"]["content"])


def publish(channel: BlockingChannel, queue: str, question: str) -> pika.BasicProperties:
    properties = pika.BasicProperties(
        correlation_id=uuid.uuid4().hex,
        reply_to=queue,
        type="chat.v1",
        message_id=uuid.uuid4().hex,
        content_type="application/json",
        delivery_mode=2,
        headers={
            "fleet-tenant": "acme",
            "fleet-deadline-ms": time.time_ns() // 1_000_000 + PATIENCE_S * 1000,
        },
    )
    body = {
        "model": "deepseek-flash",
        "messages": [{"role": "user", "content": question}],
        "thinking": {"type": "disabled"},
        "stream": True,
    }
    channel.basic_publish(
        "deepseek.requests", "interactive.acme", json.dumps(body), properties, mandatory=True
    )
    return properties


def read(channel: BlockingChannel, queue: str, request: pika.BasicProperties) -> dict:
    """Print the chunks as they come; return the terminal reply."""
    stream, give_up = Stream(), time.monotonic() + PATIENCE_S + 10
    for method, properties, body in channel.consume(queue, inactivity_timeout=1):
        if time.monotonic() > give_up:
            sys.exit(f"Nothing final in time. Ask again as {request.correlation_id} to get the same answer.")
        if method is None:
            continue
        channel.basic_ack(method.delivery_tag)
        reply = json.loads(body)
        if properties.correlation_id != request.correlation_id or refuses_another(reply, request):
            continue
        if reply["kind"] in ("chunk", "restarted"):
            stream.take(reply)
        elif reply["kind"] in ("result", "failure"):
            return reply
    sys.exit(f"The reply queue is gone. Ask again as {request.correlation_id} to get the same answer.")


def refuses_another(reply: dict, request: pika.BasicProperties) -> bool:
    """A refusal ends only the publish that it names."""
    _, refused, message_id = reply["id"].rpartition(":refused:")
    return bool(refused) and message_id != request.message_id


class Stream:
    """Shows one attempt at a time, without a gap; the terminal reply brings what is missing."""

    def __init__(self) -> None:
        self.run, self.left = "", set()
        self.attempt, self.next_seq, self.whole = 0, 0, True

    def take(self, reply: dict) -> None:
        run = reply["id"].rsplit(":", 3)[1]
        if run in self.left or reply["attempt"] < self.attempt:
            return
        if run != self.run:
            if self.run:
                self.left.add(self.run)
                print("\n[a new attempt: forget the text above]")
            self.run, self.attempt, self.next_seq, self.whole = run, reply["attempt"], 0, True
        if reply["kind"] == "chunk" and reply["seq"] >= self.next_seq:
            self.whole = self.whole and reply["seq"] == self.next_seq
            self.next_seq = reply["seq"] + 1
            if self.whole:
                print(reply["delta"].get("content") or "", end="", flush=True)


if __name__ == "__main__":
    main()
