"""The table of error codes, in Markdown."""

from fleet_contracts.codes import EXPLANATIONS, ErrorCode

_HEAD = """# Error codes

Every `failure` carries one of these codes. A later release may add one: read a code that you don't know as
`internal`. Whether asking again can succeed also stands in the failure itself, in `retryable`: believe that.

| code | meaning | what to do | retryable |
|---|---|---|---|
"""


def errors() -> str:
    """Every error code with its meaning and advice, one row each."""
    return _HEAD + "".join(_row(code) for code in ErrorCode)


def _row(code: ErrorCode) -> str:
    told = EXPLANATIONS[code]
    return f"| `{code}` | {told.meaning} | {told.advice} | {'yes' if told.retryable else 'no'} |\n"
