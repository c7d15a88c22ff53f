"""Who is calling: one static Bearer key, nothing else."""

import re
from collections.abc import Iterable

from fleet_simulator.config import Account
from fleet_simulator.refusals import no_key, unknown_key

_BEARER = re.compile(r"Bearer (\S+)")


def authenticate(header: str | None, accounts: Iterable[Account], request_id: str) -> Account:
    """The account that an Authorization header opens.

    Raises:
        Refusal: 401, as plain text for a missing or garbled header and as JSON for an unknown key.
    """
    bearer = _BEARER.fullmatch(header or "")
    if bearer is None:
        raise no_key()
    key = bearer[1]
    for account in accounts:
        if key in account.keys:
            return account
    raise unknown_key(key, request_id)
