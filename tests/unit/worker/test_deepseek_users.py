"""Who asks, as DeepSeek is told: each tenant under an ID of its own that does not tell its name."""

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet_contracts.grammar import RequestType
from fleet_worker.deepseek.users import Users
from harness.requests import BODY, a_request
from harness.upstream import Body, Upstream, chat_stream, complete

SECRET = "a secret of the fleet"
NAMED = {**BODY, "stream": True, "user_id": "theirs"}
TENANTS = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


async def told(users: Users, **changes: Any) -> bytes:
    upstream = Upstream(Body(*chat_stream()), users=users)
    await complete(upstream, **changes)
    return upstream.calls[0].content


@given(TENANTS, TENANTS)
def test_an_id_is_stable_well_formed_and_its_tenants_alone(one: str, other: str):
    name = Users(SECRET).id_of(one)
    assert name == Users(SECRET).id_of(one)
    assert re.fullmatch("[0-9a-f]{32}", name)
    assert (name == Users(SECRET).id_of(other)) == (one == other)
    assert name != Users(SECRET + "!").id_of(one)
    assert name != one


@given(st.dictionaries(st.text(), st.text() | st.none() | st.integers(-(2**53), 2**53)))
def test_the_body_is_the_callers_but_for_the_id(body: dict[str, Any]):
    request = a_request(body={**body, "model": "m"})
    expected = {**request.body, "user_id": request.body.get("user_id")}
    if expected["user_id"] is None:
        expected["user_id"] = Users(SECRET).id_of("acme")
    sent = Users(SECRET).payload_of(request)
    assert orjson.loads(sent) == expected


async def test_what_is_posted_names_the_tenant_by_its_id_alone():
    sent = orjson.loads(await told(Users(SECRET), tenant="Umbrella_Inc"))
    assert sent.pop("user_id") == Users(SECRET).id_of("Umbrella_Inc")
    assert sent == {**BODY, "stream": True}


@pytest.mark.parametrize(
    ("secret", "changes"),
    [
        pytest.param(None, {}, id="nobody gave a secret"),
        pytest.param(SECRET, {"body": NAMED}, id="the caller names one"),
    ],
)
async def test_the_payload_is_sent_as_it_is_where_there_is_nothing_to_add(
    secret: str | None, changes: dict[str, Any]
):
    assert await told(Users(secret), **changes) == a_request(**changes).payload


def test_a_text_completion_has_no_such_field():
    request = a_request(type=RequestType.FIM, body={"model": "m", "prompt": "def"})
    assert Users(SECRET).payload_of(request) == request.payload


def test_a_null_of_the_callers_is_replaced_and_not_said_twice():
    request = a_request(body={**BODY, "user_id": None})
    sent = Users(SECRET).payload_of(request)
    assert sent.count(b'"user_id":') == 1
    assert orjson.loads(sent)["user_id"] == Users(SECRET).id_of("acme")


def test_the_secret_is_not_shown():
    assert SECRET not in repr(Users(SECRET))
