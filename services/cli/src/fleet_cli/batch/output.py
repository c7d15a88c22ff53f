"""Pure: a line of the results, in the format of OpenAI's batch output."""

from typing import Any

import orjson

from fleet_client import Answer, BatchOutcome, FleetError

OK = 200
UNEXPECTED = "unexpected_answer"

Json = dict[str, Any]


def answered(outcome: BatchOutcome, answer: Answer) -> bytes:
    """A line with an answer."""
    return orjson.dumps(_line(outcome, _response(outcome, answer), None)) + b"\n"


def failed(outcome: BatchOutcome, error: FleetError) -> Json:
    """A line that has none."""
    said: Json = {"code": str(error.code), "message": error.message}
    if error.upstream is not None:
        said["upstream"] = error.upstream.model_dump(exclude_none=True)
    return _line(outcome, None, said)


def unfit(outcome: BatchOutcome, answer: Answer, trouble: str, tries: int) -> Json:
    """A line whose answer does not fit the schema; the answer was paid, so it is there too."""
    times = "once" if tries == 1 else f"{tries} times"
    message = f"The answer does not fit the schema, asked {times}: {trouble}."
    return _line(outcome, _response(outcome, answer), {"code": UNEXPECTED, "message": message})


def _line(outcome: BatchOutcome, response: Json | None, error: Json | None) -> Json:
    return {"id": outcome.id, "custom_id": outcome.key, "response": response, "error": error}


def _response(outcome: BatchOutcome, answer: Answer) -> Json:
    return {"status_code": OK, "request_id": outcome.id, "body": answer.response}
