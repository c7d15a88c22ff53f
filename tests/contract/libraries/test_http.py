"""What is needed of httpx, httpx-aiohttp and aiohttp beyond their documentation, without a socket."""

from typing import Any, cast

import aiohttp
import httpx
import pytest
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import map_aiohttp_exceptions

from harness.habits import relied_on

TRANSPORT = "services/worker/src/fleet_worker/deepseek/transport.py"


def mapped(error: Exception) -> BaseException:
    with pytest.raises(Exception) as raised, map_aiohttp_exceptions():  # noqa: PT011 - of any kind
        raise error
    return raised.value


def test_a_lost_connection_looks_like_one_that_took_too_long_to_open_but_for_its_cause():
    lost, slow = mapped(aiohttp.ServerDisconnectedError()), mapped(aiohttp.ConnectionTimeoutError())
    relied_on(
        "httpx-aiohttp",
        isinstance(lost, httpx.ConnectTimeout)
        and isinstance(slow, httpx.ConnectTimeout)
        and isinstance(slow.__cause__, TimeoutError)
        and not isinstance(lost.__cause__, TimeoutError),
        "every lost connection is a ConnectTimeout; only a late one has a TimeoutError as its cause",
        f"read what each of the two is now, and mend handle_async_request in {TRANSPORT}",
    )


def test_what_is_no_http_comes_through_as_aiohttp_says_it():
    answer = aiohttp.ClientResponseError(cast("Any", None), (), status=400)
    relied_on(
        "httpx-aiohttp",
        mapped(answer) is answer,
        "some of aiohttp's errors are passed on as they are",
        f"see whether {TRANSPORT} still has to catch them",
    )


async def test_a_session_is_made_by_a_callable_and_only_when_the_first_request_is_sent():
    made: list[aiohttp.ClientSession] = []

    def a_session() -> aiohttp.ClientSession:
        made.append(aiohttp.ClientSession())
        return made[-1]

    transport = AiohttpTransport(client=a_session)
    assert not made
    session = transport.get_client()
    try:
        relied_on(
            "httpx-aiohttp",
            made == [session],
            "AiohttpTransport(client=callable) makes its session with the first request, inside the loop",
            f"make the session otherwise in {TRANSPORT}: it can't be made before a loop runs",
        )
    finally:
        await session.close()


def test_a_body_is_read_by_the_method_that_gives_what_is_there():
    relied_on(
        "aiohttp",
        hasattr(aiohttp.StreamReader, "readany"),
        "StreamReader.readany gives all that has come, and waits only for the first byte",
        f"find its successor for SocketPieces in {TRANSPORT}",
    )
