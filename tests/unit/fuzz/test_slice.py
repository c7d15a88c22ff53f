"""A slice of `make fuzz` in every run: some thousand inputs bent from the seeds, the same ones each time."""

import random

import pytest

from fuzz.seeds import SEEDS
from fuzz.targets import TARGETS

INPUTS = 1000
WORDS = (
    b"data: ",
    b"\n\n",
    b"\r",
    b"null",
    b"{}",
    b"[]",
    b'"',
    b"\xff",
    b"\x00",
    b"1e999",
    b"-1",
    b"[" * 300,
)


def bent(seed: bytes, chance: random.Random) -> bytes:
    """The seed with some bytes changed, taken out, doubled or put in."""
    data = bytearray(seed)
    for _ in range(chance.randint(1, 6)):
        at = chance.randint(0, len(data))
        length = chance.randint(0, 12)
        match chance.randint(0, 4):
            case 0:
                data[at : at + 1] = bytes([chance.randint(0, 255)])
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + 4 * length]
            case 3:
                data[at:at] = chance.choice(WORDS)
            case _:
                data[at : at + length] = chance.choice(WORDS)
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
def test_no_bent_input_breaks_a_promise(name: str):
    chance = random.Random(name)
    for number in range(INPUTS):
        data = bent(chance.choice(SEEDS[name]), chance)
        try:
            TARGETS[name](data)
        except Exception as broken:
            raise AssertionError(f"input {number} of {name}: {data!r}") from broken


@pytest.mark.parametrize("name", TARGETS)
def test_the_seeds_themselves_keep_every_promise(name: str):
    for seed in SEEDS[name]:
        TARGETS[name](seed)
