"""Who is calling: one static Bearer key and nothing else, unless keys have to be exchanged first."""

import re
from collections.abc import Iterable

from fleet_simulator.config import Account
from fleet_simulator.refusals import no_key, unknown_key
from fleet_simulator.sessions import Sessions

_BEARER = re.compile(r"Bearer (\S+)")


def bearer(header: str | None) -> str:
    """The key or token in an Authorization header.

    Raises:
        Refusal: 401 as plain text; there is none.
    """
    found = _BEARER.fullmatch(header or "")
    if found is None:
        raise no_key()
    return found[1]


def authenticate(header: str | None, accounts: Iterable[Account], request_id: str) -> Account:
    """The account that a key in an Authorization header opens.

    Raises:
        Refusal: 401, as plain text for a missing or garbled header and as JSON for an unknown key.
    """
    key = bearer(header)
    for account in accounts:
        if key in account.keys:
            return account
    raise unknown_key(key, request_id)


def admitted_by_session(
    header: str | None, accounts: Iterable[Account], sessions: Sessions, request_id: str
) -> Account:
    """The account that a session token opens, while it lives and its key is one of the account's.

    Raises:
        Refusal: 401, as for a key.
    """
    token = bearer(header)
    key = sessions.key_of(token)
    for account in accounts:
        if key in account.keys:
            return account
    raise unknown_key(token, request_id)
