import asyncio

import pytest

from fleet_cli.stack.together import together


async def test_both_run_at_the_same_time() -> None:
    met = asyncio.Barrier(2)
    async with asyncio.timeout(5):
        assert sorted(await together(met.wait(), met.wait())) == [0, 1]


async def test_the_failure_of_one_ends_the_other_before_it_is_raised() -> None:
    ended = False

    async def slow() -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended = True

    async def failing() -> None:
        await asyncio.sleep(0)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await together(slow(), failing())
    assert ended
