"""Each tenant as a user of its own to DeepSeek, under a name that tells nobody who it is.

DeepSeek keeps its context cache, its content-safety record and its scheduling apart by `user_id`, and asks
for no personal data in it. Source: https://api-docs.deepseek.com/quick_start/rate_limit
"""

import hashlib
import hmac

import orjson

from fleet_contracts.grammar import RequestType
from fleet_worker.request import Request

_FIELD = "user_id"
_LENGTH = 32
"""Hex digits: 128 bits, so that no two tenants share one."""


class Users:
    """Says who asks, in requests that don't.

    Args:
        secret: Without it nobody can tell which tenant an ID is, or make one; where None, nothing is said.
            The same secret gives the same IDs, in every worker and for ever.
    """

    def __init__(self, secret: str | None = None) -> None:
        self._secret = secret.encode() if secret else None

    def __repr__(self) -> str:
        return "Users(secret='***')"

    def payload_of(self, request: Request) -> bytes:
        """What to POST: the request's payload, with its tenant's ID where its caller named no user.

        Text completions (`fim.v1`) have no such field, and are sent as they are.
        """
        user = self.user_of(request)
        if user is None:
            return request.payload
        if _FIELD in request.body:
            return orjson.dumps({**request.body, _FIELD: user})
        # A body may have megabytes, and is encoded already: the field goes before its closing brace.
        return b'%b,"%b":"%b"}' % (request.payload[:-1], _FIELD.encode(), user.encode())

    def user_of(self, request: Request) -> str | None:
        """The ID to add to a request; None where it has one, can't have one, or there is no secret."""
        if (
            self._secret is None
            or request.type is not RequestType.CHAT
            or request.body.get(_FIELD) is not None
        ):
            return None
        return self.id_of(request.tenant)

    def id_of(self, tenant: str) -> str:
        """A tenant's ID; raises ValueError where there is no secret."""
        if self._secret is None:
            raise ValueError("there is no secret to make IDs with: set FLEET_USER_ID_SECRET")
        return hmac.new(self._secret, tenant.encode(), hashlib.sha256).hexdigest()[:_LENGTH]
