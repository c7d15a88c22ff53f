"""What erl_call says of an expression that a node has evaluated (erl_call(1))."""

from fleet_cli.stack.errors import StackError


def evaluated(expression: str, said: str) -> str:
    """The value of `expression` in what erl_call `said`; raises StackError if that is no value."""
    said = said.strip()
    if not said.startswith("{ok,"):
        raise StackError(f"RabbitMQ could not evaluate {expression}: {said}")
    return said.removeprefix("{ok,").removesuffix("}").strip()
