"""Asks and reads replies for a bench, in a process of its own, and checks every delta that comes.

It takes one command a line on its input, as JSON, and answers each with one line.
Run: `python -m bench.load.caller AMQP_URL REPLY_QUEUE`
"""

import asyncio
import json
import sys
from array import array
from typing import Any

import uvloop

from bench.load.amqp import Amqp, Properties, publication, publish_method
from bench.load.marks import MARK, now_us, question

_BATCH = 200


class Reading:
    """What has come, and what is wrong with it."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.next_seq: dict[int, int] = {}
        self.wrong: list[str] = []
        self.late_us: array[int] = array("q")
        self.deltas = self.messages = self.accepted = self.results = self.failures = 0

    def take(self, _tag: int, _header: bytes, body: bytes) -> None:
        kind = body[9:12]
        if kind == b"chu":
            self._chunk(body)
        elif kind == b"acc":
            self.accepted += 1
        elif kind == b"res":
            self._result(body)
        elif kind == b"fai":
            self.failures += 1
            self._complain(body[:300].decode(errors="replace"))

    def _chunk(self, body: bytes) -> None:
        now = now_us()
        self.messages += 1
        for stream, seq, sent in MARK.findall(body):
            number, place = int(stream), int(seq)
            if self.next_seq.get(number, 0) != place:
                self._complain(f"stream {number}: delta {place} came for {self.next_seq.get(number, 0)}")
            self.next_seq[number] = place + 1
            self.deltas += 1
            self.late_us.append(now - int(sent))

    def _result(self, body: bytes) -> None:
        self.results += 1
        marks = MARK.findall(body)
        if not marks:
            return
        number = int(marks[0][0])
        if [int(mark[1]) for mark in marks] != list(range(self.next_seq.get(number, 0))):
            self._complain(
                f"stream {number}: its result holds {len(marks)} deltas, not {self.next_seq.get(number, 0)}"
            )

    def _complain(self, what: str) -> None:
        if len(self.wrong) < 5:
            self.wrong.append(what)

    def report(self) -> dict[str, Any]:
        late = sorted(self.late_us)
        self.late_us = array("q")
        return {
            "deltas": self.deltas,
            "messages": self.messages,
            "accepted": self.accepted,
            "results": self.results,
            "failures": self.failures,
            "streams": len(self.next_seq),
            "whole": sum(self.next_seq.values()),
            "wrong": self.wrong,
            "late_us": [late[len(late) // 2], late[len(late) * 99 // 100], late[-1]] if late else [0, 0, 0],
            "heard": len(late),
        }


class Asking:
    """Publishes requests at the least cost."""

    def __init__(self, client: Amqp, reply_to: str) -> None:
        self._client = client
        self._reply_to = reply_to
        self._word = 0

    async def ask(self, plan: dict[str, Any]) -> None:
        """`count` requests at `rate` a second (0: at once); streams are numbered from 0."""
        self._word += 1
        method = publish_method(plan["exchange"], plan["key"])
        loop = asyncio.get_running_loop()
        began, rate = loop.time(), plan["rate"]
        for first in range(0, plan["count"], batch := _BATCH if not rate else max(1, rate // 100)):
            frames = [
                self._request(number, method, plan)
                for number in range(first, min(first + batch, plan["count"]))
            ]
            self._client.write(b"".join(frames))
            await self._client.room.wait()
            if rate:
                await asyncio.sleep(max(0.0, began + (first + batch) / rate - loop.time()))

    def _request(self, number: int, method: bytes, plan: dict[str, Any]) -> bytes:
        prompt = question(number, plan["deltas"], plan["period_ms"])
        body = (
            f'{{"model":"deepseek-flash","stream":{"true" if plan["stream"] else "false"},"max_tokens":4096,'
            f'"messages":[{{"role":"user","content":"{prompt}"}}]}}'
        )
        properties = Properties(f"b-{plan['word']}-{number}", self._reply_to, "chat.v1")
        return publication(method, properties, body.encode())


async def main(url: str, queue: str) -> None:
    reading = Reading()
    client = await Amqp.connect(url, reading.take)
    asking = await Amqp.connect(url)
    await client.declare(queue)
    await client.consume(queue)
    publishing = Asking(asking, queue)
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    _say({"ready": True})
    while line := await commands.readline():
        command = json.loads(line)
        if command["do"] == "ask":
            await publishing.ask(command)
            _say({})
        elif command["do"] == "depth":
            _say({"depth": await asking.declare(command["queue"], passive=True)})
        elif command["do"] == "forget":
            reading.forget()
            _say({})
        else:
            _say(reading.report())


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(document) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
