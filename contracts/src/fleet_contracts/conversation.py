"""How a reply names the conversation that it is about."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class Conversation(BaseModel):
    """A conversation that the fleet keeps, and where it stands."""

    model_config = ConfigDict(extra="allow", frozen=True)

    id: Annotated[str, Field(description="As in fleet-conversation")]
    version: Annotated[
        int,
        Field(
            ge=0, description="Rises by one with each turn and clear; what fleet-conversation-version names"
        ),
    ]
