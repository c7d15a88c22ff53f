"""What `fleet topology apply` does about users, and what it says of it: names, never a password."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fleet_cli.amqp_url import place_of
from fleet_cli.console import complain, say
from fleet_cli.rights.applying import apply_users
from fleet_cli.rights.management import management
from fleet_cli.rights.passwords import Passwords
from fleet_cli.wrong_input import WrongInputError
from fleet_contracts.rights import NoTenantError, User, users


def wanted_users(tenants: Sequence[str]) -> tuple[User, ...]:
    """The users of the fleet and of these tenants.

    Raises:
        WrongInputError: one of them can't be a tenant's user.
    """
    try:
        return users(tenants)
    except NoTenantError as error:
        raise WrongInputError(str(error)) from error


async def keep(
    environ: Mapping[str, str], amqp_url: str, everybody: Sequence[User], folder: Path | None
) -> None:
    """Make the users and their rights in the virtual host of `amqp_url` what the contract says.

    Raises:
        ManagementError: the management API can't be used.
        WrongInputError: a new user has no password, and there is no place for one.
    """
    vhost, passwords = place_of(amqp_url).vhost, Passwords(environ, folder)
    async with management(environ, amqp_url) as api:
        applied = await apply_users(api, vhost, everybody, passwords)
    for name, what in applied.users.items():
        say(f"user {name} {what}")
    say(f"applied {len(applied.users)} users: {applied}")
    if applied.strangers:
        complain(
            f"these have rights here too, and are none of the users named: {', '.join(applied.strangers)}"
        )
