"""Pure: the table of every setting of a service, printed from the service's own code."""

from typing import Any

from fleet_chassis.settings import ServiceSettings, variable_name

BOUNDS = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to"}

HEADING = """# Settings

What a worker reads from its environment, once, when it starts. A file of lines `NAME=value` can hold them
too (`fleet worker --settings FILE`); the environment goes before the file. Where a setting is missing or
wrong, the worker does not start and says which one in a sentence.

Printed by `fleet settings > deploy/SETTINGS.md`.
"""


def settings_page(kind: type[ServiceSettings]) -> str:
    """The Markdown page of every setting of `kind`: variable, default, bounds and meaning with its unit."""
    fields: dict[str, dict[str, Any]] = kind.model_json_schema(by_alias=False)["properties"]
    rows = [_row(variable_name(kind, name), field) for name, field in fields.items()]
    table = ["| variable | default | bounds | meaning |", "|---|---|---|---|", *rows]
    return "\n".join([HEADING, *table, ""])


def _row(variable: str, field: dict[str, Any]) -> str:
    return f"| `{variable}` | {_default(field)} | {_bounds(field)} | {field['description']} |"


def _default(field: dict[str, Any]) -> str:
    if "default" not in field:
        return "required"
    match field["default"]:
        case None | "":
            return ""
        case bool() as truth:
            return f"`{str(truth).lower()}`"
        case value:
            return f"`{value}`"


def _bounds(field: dict[str, Any]) -> str:
    # What may also be left unset is a choice between a bounded type and null.
    choices: list[dict[str, Any]] = [field, *field.get("anyOf", [])]
    return " ".join(
        f"{word} {choice[bound]}" for choice in choices for bound, word in BOUNDS.items() if bound in choice
    )
