"""Python functions as the tools of a chat: a JSON Schema from type hints, arguments from JSON.

Source of the shape: https://api-docs.deepseek.com/guides/function_calling
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_type_hints

from pydantic import BaseModel, ConfigDict, Field, create_model

_WANTED = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}
_PREFIX = "argument_"


@dataclass(frozen=True, slots=True)
class FunctionTool:
    """A function that a model may ask to be called.

    Attributes:
        function: what is called, by whoever asked; it may be a coroutine function.
        arguments: the model that its arguments have to fit.
        definition: the tool in DeepSeek's shape, for `tools`.
    """

    function: Callable[..., Any]
    arguments: type[BaseModel]
    definition: dict[str, Any]

    @property
    def name(self) -> str:
        """What the model calls it."""
        return self.definition["function"]["name"]

    def read(self, arguments: str) -> dict[str, Any]:
        """The arguments of a call, each as its type hint says.

        Raises:
            ValueError: they are no JSON, or do not fit.
        """
        read = self.arguments.model_validate_json(arguments or "{}")
        return {name.removeprefix(_PREFIX): getattr(read, name) for name in type(read).model_fields}


def tool_of(function: Callable[..., Any]) -> FunctionTool:
    """A function as a tool: its docstring says what it does, its type hints what it takes.

    A parameter is described with `Annotated[int, Field(description="…")]`.

    Raises:
        TypeError: a parameter has no type hint, or can't be passed by its name.
    """
    name = getattr(function, "__name__", type(function).__name__)
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind not in _WANTED:
            raise TypeError(f"{name} takes {parameter}: a tool's parameters are passed by their names")
        if parameter.name not in hints:
            raise TypeError(
                f"{name} gives no type for {parameter.name}: write it as in `{parameter.name}: str`"
            )
        default: Any = ... if parameter.default is parameter.empty else parameter.default
        # Under a name of our own, for a parameter may be called as a method of the model is.
        fields[_PREFIX + parameter.name] = (hints[parameter.name], Field(default, alias=parameter.name))
    model = create_model(name, __config__=ConfigDict(extra="forbid", hide_input_in_errors=True), **fields)
    schema = model.model_json_schema(by_alias=True)
    schema.pop("title", None)
    described = {"name": name, "description": inspect.getdoc(function) or "", "parameters": schema}
    return FunctionTool(function, model, {"type": "function", "function": described})
