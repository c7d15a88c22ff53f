"""Tenants as users of their own, as a real HTTP server sees it: its cache is kept apart by `user_id`."""

from typing import Any

import pytest

from fleet_worker.deepseek.users import Users
from harness.house import House, a_house

pytestmark = pytest.mark.sockets

SECRET = "a secret of the fleet"
CHAT: dict[str, Any] = {
    "model": "deepseek-flash",
    "messages": [{"role": "user", "content": "A long beginning that many tenants share. " * 60}],
    "thinking": {"type": "disabled"},
    "max_tokens": 5,
}


async def cached_of(house: House, tenant: str, **fields: Any) -> int:
    """Tokens that the upstream's cache knew of this tenant's prompt."""
    await house.caller.ask({**CHAT, **fields}, headers={"fleet-tenant": tenant})
    (result,) = await house.caller.until_end()
    return result["response"]["usage"]["prompt_cache_hit_tokens"]


async def test_each_tenant_has_a_cache_of_its_own_under_a_stable_id(fleet_vhost: str):
    async with a_house(fleet_vhost, user_id_secret=SECRET) as house:
        assert await cached_of(house, "acme") == 0
        assert await cached_of(house, "acme") > 0
        assert await cached_of(house, "other") == 0
        # The very ID arrived, and neither the name nor nothing.
        assert await cached_of(house, "third", user_id=Users(SECRET).id_of("acme")) > 0
        assert await cached_of(house, "third", user_id="acme") == 0
        assert await cached_of(house, "third", user_id="") == 0


async def test_without_a_secret_tenants_share_the_cache_as_the_account_does(fleet_vhost: str):
    async with a_house(fleet_vhost) as house:
        assert await cached_of(house, "acme") == 0
        assert await cached_of(house, "other") > 0
