"""A strict provider: counts what is in flight from arrival to end, refuses what is over its limit, logs all.

Started as `python tests/bench/limiter_provider.py LOG LIMIT`; prints its port. A call is one line on a
connection of its own, `<tenant> <tokens> <seconds>`; the answer is `ok` after that time, or `429 <limit>` at
once. A line `limit <n>` changes the limit. Its log is the ground truth: `<monotonic s> <event> <in flight>
<tenant> <tokens>`, where a call ends with its connection, as a provider sees it.
"""

import asyncio
import sys
import time
from pathlib import Path
from typing import TextIO

from limiter_loop import loop_factory


class Provider:
    """Counts and refuses."""

    def __init__(self, log: TextIO, limit: int) -> None:
        self._log = log
        self._limit = limit
        self._in_flight = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, call after call."""
        try:
            while line := (await reader.readline()).decode().split():
                if line[0] == "limit":
                    self._limit = int(line[1])
                    self._write("limit", "-", line[1])
                    writer.write(b"ok\n")
                else:
                    await self._call(reader, writer, line[0], line[1], float(line[2]))
        except ConnectionError:
            pass
        finally:
            writer.close()

    async def _call(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tenant: str,
        tokens: str,
        seconds: float,
    ) -> None:
        if self._in_flight >= self._limit:
            self._write("refused", tenant, tokens)
            writer.write(b"429 %d\n" % self._limit)
            return
        self._in_flight += 1
        self._write("began", tenant, tokens)
        gone = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait((gone,), timeout=seconds)
        finally:
            self._in_flight -= 1
            self._write("ended" if not gone.done() else "broken", tenant, tokens)
        if not gone.done():
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)
            writer.write(b"ok\n")

    def _write(self, event: str, tenant: str, tokens: str) -> None:
        self._log.write(f"{time.monotonic():.6f} {event} {self._in_flight} {tenant} {tokens}\n")


async def main() -> None:
    """Serve until killed; what is logged is on disk a fifth of a second later."""
    with Path(sys.argv[1]).open("w", buffering=2**20) as log:  # noqa: ASYNC230 - once, before anything is served
        provider = Provider(log, int(sys.argv[2]))
        server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, backlog=4096)
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            await asyncio.sleep(0.2)
            log.flush()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())
