"""Makes every user what the contract says: what is missing is made, what differs set right, the rest left."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from fleet_cli.rights.management import Json, Management
from fleet_cli.rights.passwords import ALGORITHM, Passwords, fits, hashed
from fleet_contracts.rights import Keys, User

MADE, CHANGED, SAME = "made", "set right", "as it was"


@dataclass(slots=True)
class Applied:
    """What became of the users."""

    users: dict[str, str] = field(default_factory=dict[str, str])
    """`made`, `set right` or `as it was`, for each."""
    strangers: tuple[str, ...] = ()
    """Who else has rights in the virtual host."""

    def __str__(self) -> str:
        counts = Counter(self.users.values())
        return ", ".join(f"{count} {what}" for what, count in counts.items())


async def apply_users(
    management: Management, vhost: str, users: Iterable[User], passwords: Passwords
) -> Applied:
    """Make the users and their rights in `vhost` what `users` says; nothing else is touched.

    A user that exists keeps its password unless one is given for it.

    Raises:
        ManagementError: the broker can't be asked, or refuses; what was done stays, and may be done again.
        WrongInputError: a new user has no password, and there is no place for one.
    """
    applied = Applied()
    for user in users:
        applied.users[user.name] = await _apply(management, vhost, user, passwords)
    applied.strangers = await _strangers(management, vhost, applied.users)
    return applied


async def _apply(management: Management, vhost: str, user: User, passwords: Passwords) -> str:
    found: Json | None = await management.get("users", user.name)
    changed = await _sign_in(management, user, found, passwords)
    # The keys first: until they are set, whoever may write to an exchange may use every key.
    for keys in await _differing_keys(management, vhost, user):
        wanted = {"exchange": keys.exchange, "write": keys.write, "read": keys.read}
        await management.put(wanted, "topic-permissions", vhost, user.name)
        changed = True
    wanted = {"configure": user.configure, "write": user.write, "read": user.read}
    if not _holds(await management.get("permissions", vhost, user.name), wanted):
        await management.put(wanted, "permissions", vhost, user.name)
        changed = True
    if found is None:
        return MADE
    return CHANGED if changed else SAME


async def _sign_in(management: Management, user: User, found: Json | None, passwords: Passwords) -> bool:
    """Give the user its password and tags; whether anything had to be done."""
    password = passwords.given(user.name)
    if found is None:
        await _put(management, user, hashed(password or passwords.new(user.name)), ALGORITHM)
        return True
    known = (found.get("password_hash", ""), found.get("hashing_algorithm", ""))
    if password is not None and not fits(password, *known):
        await _put(management, user, hashed(password), ALGORITHM)
        return True
    if _tags(found) != set(user.tags):
        await _put(management, user, *known)
        return True
    return False


async def _put(management: Management, user: User, password_hash: str, algorithm: str) -> None:
    document = {
        "password_hash": password_hash,
        "hashing_algorithm": algorithm,
        "tags": ",".join(user.tags),
    }
    await management.put(document, "users", user.name)


async def _differing_keys(management: Management, vhost: str, user: User) -> list[Keys]:
    found: list[Json] = await management.get("topic-permissions", vhost, user.name) or []
    known = {each["exchange"]: each for each in found}
    return [
        keys
        for keys in user.keys
        if not _holds(known.get(keys.exchange), {"write": keys.write, "read": keys.read})
    ]


async def _strangers(management: Management, vhost: str, ours: Iterable[str]) -> tuple[str, ...]:
    found: list[Json] = await management.get("vhosts", vhost, "permissions") or []
    return tuple(sorted({each["user"] for each in found} - set(ours)))


def _holds(found: Json | None, wanted: Json) -> bool:
    return found is not None and all(found.get(name) == value for name, value in wanted.items())


def _tags(found: Json) -> set[str]:
    # Text up to RabbitMQ 3.8, a list since.
    tags: str | list[str] = found.get("tags", [])
    words = tags.split(",") if isinstance(tags, str) else tags
    return {word.strip() for word in words if word.strip()}
