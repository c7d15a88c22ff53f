"""JSON Schema 2020-12 of every body and envelope."""

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from fleet_contracts.codes import ErrorCode
from fleet_contracts.printing.reply_envelope import DeadLetterProperties, ReplyProperties
from fleet_contracts.printing.request_envelope import CancelProperties, RequestProperties
from fleet_contracts.reply import KINDS, Reply, message_type
from fleet_contracts.request import CancelRequest, ChatRequest, ConversationRequest, FimRequest

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID_PREFIX = "urn:deepseek-fleet:schema:"
UNION = "reply.v1"

MODELS: dict[str, Any] = {
    "chat.v1": ChatRequest,
    "fim.v1": FimRequest,
    "conversation.v1": ConversationRequest,
    "cancel.v1": CancelRequest,
    **{message_type(kind): model for kind, model in KINDS.items()},
    UNION: Reply,
    "request.properties.v1": RequestProperties,
    "cancel.properties.v1": CancelProperties,
    "reply.properties.v1": ReplyProperties,
    "dead_letter.properties.v1": DeadLetterProperties,
}
"""What each schema is printed from, by its name."""


def schemas() -> dict[str, JsonSchemaValue]:
    """Every schema, by its name."""
    return {name: _schema(name, model) for name, model in MODELS.items()}


def _schema(name: str, model: Any) -> JsonSchemaValue:
    printer = _Envelopes if ".properties." in name else _Bodies
    body = TypeAdapter(model).json_schema(schema_generator=printer)
    for part in (body, *body.get("$defs", {}).values()):
        if "kind" in part.get("properties", {}):
            _require_kind(part)
    return {"$schema": DIALECT, "$id": ID_PREFIX + name, "title": name, **body}


def _require_kind(part: JsonSchemaValue) -> None:
    # The models fill it in when they are built, which leaves it optional in what pydantic prints.
    part["required"] = sorted({"kind", *part["required"]})
    part["properties"]["kind"].pop("default")
    part["properties"]["kind"]["description"] = "Which reply this is"


class _Bodies(GenerateJsonSchema):
    """Prints schemas that stay true when a later release adds a kind or a code."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Every field gets a title, also one that only refers to a definition."""
        return schema is not None

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        """A default of null says no more than that the field may be left out."""
        printed = super().default_schema(schema)
        return {name: value for name, value in printed.items() if (name, value) != ("default", None)}

    def enum_schema(self, schema: Any) -> JsonSchemaValue:
        """An error code may be one that this release doesn't know."""
        printed = super().enum_schema(schema)
        if schema["cls"] is not ErrorCode:
            return printed
        known = {"enum": printed["enum"], "type": "string"}
        later = {"description": "A code of a later release; read it as internal", "type": "string"}
        return {
            "title": printed["title"],
            "description": printed["description"],
            "anyOf": [known, later],
        }

    def tagged_union_schema(self, schema: Any) -> JsonSchemaValue:
        """A reply may be of a kind that this release doesn't know."""
        printed = super().tagged_union_schema(schema)
        later = {
            "title": "Later",
            "description": "A kind of a later release; ignore it",
            "type": "object",
            "properties": {"kind": {"type": "string", "not": {"enum": [*KINDS]}}},
            "required": ["kind"],
        }
        return {
            "description": "Every message that comes back, told apart by `kind`",
            "oneOf": [*printed["oneOf"], later],
        }


class _Envelopes(_Bodies):
    """Prints properties and headers: one that is not wanted is left out, for AMQP has no null property."""

    def nullable_schema(self, schema: Any) -> JsonSchemaValue:
        """The value alone."""
        return self.generate_inner(schema["schema"])
