"""Answers as objects, and what is told where one does not fit."""

import traceback
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from fleet_client import InvalidRequest, UnexpectedAnswer
from fleet_client.testing import FakeFleet, Says

SECRET = "the secret of Ada"


class Line(BaseModel):
    text: str
    cents: int


class Invoice(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: Annotated[int, Field(description="as printed on top")]
    lines: list[Line] = []

    @field_validator("number")
    @classmethod
    def is_a_number_of_ours(cls, number: int) -> int:
        if number < 0:
            raise ValueError(f"{SECRET} {number}")
        return number


async def told(text: str, **changes: str) -> UnexpectedAnswer:
    async with FakeFleet(Says(text, **changes)) as fleet:  # pyright: ignore[reportArgumentType]
        with pytest.raises(UnexpectedAnswer) as error:
            await fleet.complete("Read it.", as_=Invoice, id="c-1")
    shown = "".join(traceback.format_exception(error.value)) + repr(error.value)
    assert SECRET not in shown
    return error.value


async def test_an_answer_that_fits_is_an_object() -> None:
    async with FakeFleet('{"number": 42, "lines": [{"text": "tea", "cents": 250}]}') as fleet:
        invoice = await fleet.complete("Read it.", as_=Invoice)
    assert invoice == Invoice(number=42, lines=[Line(text="tea", cents=250)])


async def test_the_schema_goes_before_the_prompt_and_json_mode_is_on() -> None:
    async with FakeFleet('{"number": 42}') as fleet:
        await fleet.complete("Read it.", as_=Invoice, temperature=0)
    [asked] = fleet.asked
    system, user = asked.body["messages"]
    assert asked.body["response_format"] == {"type": "json_object"}
    assert asked.body["temperature"] == 0
    assert (system["role"], user) == ("system", {"role": "user", "content": "Read it."})
    assert "json" in system["content"]
    assert "as printed on top" in system["content"]


async def test_messages_of_ones_own_stay_as_they_are() -> None:
    messages = [{"role": "system", "content": "be strict"}, {"role": "user", "content": "Read it."}]
    async with FakeFleet('{"number": 42}') as fleet:
        await fleet.complete(messages, as_=Invoice)
    assert fleet.asked[0].body["messages"][1:] == messages


async def test_what_does_not_fit_is_named_and_its_text_is_kept_apart() -> None:
    error = await told(f'{{"number": "{SECRET}", "lines": [{{"cents": 1}}]}}')
    assert "number: int_parsing" in str(error)
    assert "lines.0.text: missing" in str(error)
    assert "Invoice" in str(error)
    assert error.answer is not None
    assert SECRET in error.answer.text
    assert (error.code, error.correlation_id) == ("internal", "c-1")


async def test_neither_keys_nor_messages_of_the_answer_are_shown() -> None:
    error = await told(f'{{"number": -1, "{SECRET}": 1}}')
    assert "number: value_error" in str(error)
    assert "(unknown key): extra_forbidden" in str(error)


async def test_an_answer_that_is_no_json_is_told() -> None:
    assert "json_invalid" in str(await told(f"Of course! {SECRET}"))


async def test_an_answer_that_was_cut_says_how_to_get_it_whole() -> None:
    assert "max_tokens" in str(await told('{"number": 4', finish_reason="length"))


async def test_two_ways_to_ask_for_json_are_one_too_many() -> None:
    async with FakeFleet() as fleet:
        with pytest.raises(InvalidRequest, match="response_format"):
            await fleet.complete("Read it.", as_=Invoice, response_format={"type": "text"})
