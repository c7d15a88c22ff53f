"""What the envelopes of all messages share: the AMQP properties and headers beside a body."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from fleet_contracts import headers as names
from fleet_contracts.grammar import TENANT_PATTERN

TenantHeader = Annotated[
    str | None,
    Field(
        alias=names.TENANT,
        pattern=TENANT_PATTERN,
        description="Who asks, where the broker checks no user_id; else the routing key's second word counts",
    ),
]


RetryHeader = Annotated[
    int | None,
    Field(
        alias=names.RETRY,
        ge=0,
        description="Count up from 0 to ask again under a correlation ID whose request ended in a failure",
    ),
]


class Envelope(BaseModel):
    """Properties or headers; what is not named here is neither read nor refused."""

    model_config = ConfigDict(frozen=True)
