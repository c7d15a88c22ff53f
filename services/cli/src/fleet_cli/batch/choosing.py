"""Pure: what the command line says about every line, as fields of the requests."""

from typing import Any

from fleet_cli.batch.line import Choices
from fleet_cli.batch.schema import Schema


def choices(
    model: str,
    system: str,
    max_tokens: int | None,
    *,
    thinking: bool | None,
    schema: Schema | None,
) -> Choices:
    """The choices; with a schema, JSON mode is on and the model is told the schema first."""
    given: dict[str, Any] = {
        "max_tokens": max_tokens,
        "thinking": None if thinking is None else {"type": "enabled" if thinking else "disabled"},
        "response_format": {"type": "json_object"} if schema else None,
    }
    fields = {name: value for name, value in given.items() if value is not None}
    return Choices(model, system, fields, schema.instruction if schema else "")
