"""`fleet topology apply` makes the users, keeps them as they have to be, and shows nobody a password."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aio_pika
import pytest
from aio_pika.exceptions import AMQPError

from fleet_cli.rights.keeping import keep
from fleet_cli.rights.management import ManagementError, management
from fleet_cli.wrong_input import WrongInputError
from fleet_contracts.definitions import user_definitions
from fleet_contracts.rights import users
from harness.broker import SharedBroker
from harness.strict import ACME, OPERATOR, WORKER, StrictVhost, management_url

pytestmark = pytest.mark.sockets

PATIENCE_S = 60.0
NAMES = [user.name for user in users([ACME])]


@dataclass(frozen=True)
class Deploying:
    """An operator who has the broker's administrator."""

    vhost: StrictVhost
    printed: pytest.CaptureFixture[str]

    async def keep(self, *tenants: str, folder: bool = True, **environ: str) -> list[str]:
        """Have the users made or set right; what was said of each, and never a password."""
        told = {"MANAGEMENT_URL": self.vhost.management, **environ}
        await keep(told, self.vhost.url, users(tenants), self.vhost.passwords if folder else None)
        out, err = self.printed.readouterr()
        for file in self.vhost.passwords.glob("*"):
            assert file.read_text().strip() not in out + err
        return [line for line in out.splitlines() if line.startswith("user ")]

    async def exported(self) -> dict[str, Any]:
        """The users as the broker itself writes them down, without their hashes."""
        async with management({"MANAGEMENT_URL": self.vhost.management}, "") as api:
            found = await api.get("definitions")
        ours = {
            part: [each for each in found[part] if each.get("name", each.get("user")) in NAMES]
            for part in ("users", "permissions", "topic_permissions")
        }
        for user in ours["users"]:
            assert user.pop("password_hash")
        for part in ("permissions", "topic_permissions"):
            ours[part] = [each for each in ours[part] if each["vhost"] == self.vhost.name]
        return ours


@pytest.fixture
async def deploying(
    broker: SharedBroker, fleet_vhost: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Deploying]:
    yield Deploying(StrictVhost(fleet_vhost, await management_url(broker), tmp_path / "passwords"), capsys)
    gone = ", ".join(f'<<"{name}">>' for name in NAMES)
    deleted = f'rabbit_auth_backend_internal:delete_user(Each, <<"{broker.user}">>)'
    await broker.evaluate(f"[catch {deleted} || Each <- [{gone}]].")


async def test_one_command_makes_the_users_and_says_no_password(
    deploying: Deploying, broker: SharedBroker, private_environ: Mapping[str, str]
):
    place = deploying.vhost
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet_cli", "topology", "apply"),
        *("--tenant", ACME, "--passwords", str(place.passwords)),
        env={**private_environ, "AMQP_URL": place.url, "MANAGEMENT_URL": place.management},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    said, warned = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    assert (process.returncode, said.decode().splitlines()[1:-1]) == (
        0,
        [f"user {name} made" for name in NAMES],
    )
    others = f"fleet: these have rights here too, and are none of the users named: {broker.user}\n"
    assert warned.decode() == others
    for name in NAMES:
        assert (place.passwords / name).read_bytes().strip() not in said + warned
        await _sign_in(place.as_user(name))


async def test_applied_twice_the_users_are_made_once_and_are_those_of_the_printed_file(deploying: Deploying):
    assert await deploying.keep(ACME) == [f"user {name} made" for name in NAMES]
    written = {file.name: file.read_text() for file in deploying.vhost.passwords.iterdir()}
    assert await deploying.keep(ACME) == [f"user {name} as it was" for name in NAMES]
    assert {file.name: file.read_text() for file in deploying.vhost.passwords.iterdir()} == written
    wanted = user_definitions([ACME], deploying.vhost.name)
    found = await deploying.exported()
    for part in ("permissions", "topic_permissions"):
        assert _sorted(found[part]) == _sorted(wanted[part])
    tags = {user["name"]: user["tags"] for user in wanted["users"]}
    assert {user["name"]: user["tags"] for user in found["users"]} == tags


async def test_what_somebody_changed_is_set_right_and_the_password_kept(
    deploying: Deploying, broker: SharedBroker
):
    await deploying.keep(ACME)
    by = f'<<"{broker.user}">>'
    vhost = f'<<"{deploying.vhost.name}">>'
    all_of_it = ", ".join(['<<".*">>'] * 3)
    await broker.evaluate(
        f'rabbit_auth_backend_internal:set_permissions(<<"{WORKER}">>, {vhost}, {all_of_it}, {by}).'
    )
    await broker.evaluate(
        f'rabbit_auth_backend_internal:clear_topic_permissions(<<"{ACME}">>, {vhost}, '
        f'<<"deepseek.results">>, {by}).'
    )
    await broker.evaluate(f'rabbit_auth_backend_internal:set_tags(<<"{OPERATOR}">>, [administrator], {by}).')
    right = {WORKER, ACME, OPERATOR}
    assert await deploying.keep(ACME) == [
        f"user {name} {'set right' if name in right else 'as it was'}" for name in NAMES
    ]
    assert await deploying.keep(ACME, folder=False) == [f"user {name} as it was" for name in NAMES]
    await _sign_in(deploying.vhost.as_user(OPERATOR))


async def test_a_password_that_is_given_anew_replaces_the_old_one(deploying: Deploying):
    await deploying.keep(ACME)
    old = deploying.vhost.as_user(ACME)
    said = await deploying.keep(ACME, FLEET_PASSWORDS=json.dumps({ACME: "given & anew"}))
    assert [line for line in said if "set right" in line] == [f"user {ACME} set right"]
    (deploying.vhost.passwords / ACME).write_text("given%20%26%20anew\n")
    await _sign_in(deploying.vhost.as_user(ACME))
    with pytest.raises(AMQPError):
        await _sign_in(old)


async def test_without_a_place_for_passwords_a_new_user_is_refused_and_nothing_made_of_it(
    deploying: Deploying,
):
    with pytest.raises(WrongInputError, match="fleet-admin is new and has no password: name a folder"):
        await deploying.keep(folder=False)
    assert (await deploying.exported())["users"] == []


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        (
            {"MANAGEMENT_URL": "http://me:secret@127.0.0.1:1"},
            "no management API answers at http://127.0.0.1:1",
        ),
        ({"MANAGEMENT_URL": "ftp://me:secret@x"}, "MANAGEMENT_URL is wrong"),
        ({"FLEET_PASSWORDS": '["secret"]'}, "FLEET_PASSWORDS is wrong"),
    ],
)
async def test_what_is_wrong_is_said_in_a_sentence_without_a_password(
    deploying: Deploying, environ: dict[str, Any], said: str
):
    with pytest.raises((ManagementError, WrongInputError), match=said) as wrong:
        await deploying.keep(**environ)
    assert "secret" not in str(wrong.value)


async def test_a_user_who_is_no_administrator_is_told_so(deploying: Deploying):
    await deploying.keep()
    with pytest.raises(ManagementError, match="refused this user: name one with the tag administrator"):
        await deploying.keep(MANAGEMENT_URL=deploying.vhost.management_as(OPERATOR))


async def _sign_in(url: str) -> None:
    async with await aio_pika.connect(url):
        pass


def _sorted(rights: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rights, key=lambda each: (each["user"], each.get("exchange", "")))
