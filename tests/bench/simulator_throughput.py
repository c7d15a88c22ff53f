"""How many chunks a second one simulator process sends, and what a chunk costs it. Prints; asserts nothing.

Run: `.venv/bin/python tests/bench/simulator_throughput.py`
"""

import asyncio
import json
import resource
import sys
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

_EVENT = b"data: "
_DONE = b"data: [DONE]"


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    streams: int
    tokens: int
    tokens_per_second: float


SCENARIOS = (
    Scenario("1000 streams, 20 tokens/s each", 1000, 200, 20),
    Scenario("1000 streams, as fast as they go", 1000, 400, 0),
    Scenario("1 stream, as fast as it goes", 1, 100_000, 0),
)


async def measure(scenario: Scenario) -> str:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    server = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_simulator", "--headers-delay", "0", "--first-token-delay", "0"),
        *("--tokens-per-second", str(scenario.tokens_per_second)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert server.stdout is not None
    try:
        host, port = _address(await server.stdout.readline())
        await _post(host, port, "/_simulator/config", {"lengths": _lengths(scenario.tokens)})
        began = time.perf_counter()
        counts = await asyncio.gather(*(_stream(host, port, number) for number in range(scenario.streams)))
        took = time.perf_counter() - began
    finally:
        server.terminate()
        await server.wait()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return _line(scenario.name, sum(counts), took, busy)


def _line(name: str, chunks: int, took: float, busy: float) -> str:
    return (
        f"{name:<34} {chunks:>8} chunks in {took:6.2f} s = {chunks / took:>8.0f}/s; "
        f"process busy {busy:5.2f} s (start included) = {busy / chunks * 1e6:5.1f} us a chunk, "
        f"{chunks / busy:>8.0f} a core-second"
    )


def _lengths(tokens: int) -> dict[str, list[int]]:
    return {"reasoning": [tokens // 4] * 2, "content": [tokens - tokens // 4] * 2}


def _address(line: bytes) -> tuple[str, int]:
    url = urlsplit(line.decode().strip())
    assert url.hostname is not None
    assert url.port is not None
    return url.hostname, url.port


async def _stream(host: str, port: int, number: int) -> int:
    question = f"What is stream number {number} good for?"
    body = {
        "model": "deepseek-flash",
        "stream": True,
        "max_tokens": 390_000,
        "messages": [{"role": "user", "content": question}],
    }
    answer = await _post(host, port, "/chat/completions", body)
    assert _DONE in answer[-64:]
    return answer.count(_EVENT)


async def _post(host: str, port: int, path: str, body: object) -> bytes:
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer sk-simulator\r\n"
    writer.write(f"{head}Connection: close\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    answer = await reader.read(-1)
    writer.close()
    await writer.wait_closed()
    return answer


async def main() -> None:
    for scenario in SCENARIOS:
        sys.stdout.write(await measure(scenario) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
