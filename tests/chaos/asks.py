"""What is asked under chaos, and what must come back: every text is known beforehand, to the byte."""

from typing import Any

from fleet_simulator.answers import expected_text
from fleet_simulator.config import Lengths, SimulatorConfig, Timing

Json = dict[str, Any]

EVERY_STREAMED = 5
"""One request in so many streams: chunks cost more than the rest, and two cores have to do it all."""
TOKENS_PER_SECOND = 20.0
LENGTHS = Lengths(content=(15, 70))


def a_simulator() -> SimulatorConfig:
    """A DeepSeek whose calls take one to four seconds."""
    timing = Timing(headers=0.1, first_token=0.1, tokens_per_second=TOKENS_PER_SECOND)
    return SimulatorConfig(timing=timing, lengths=LENGTHS, log_capacity=2_000_000)


def ask(number: int) -> Json:
    """The body of one request; no two are alike."""
    return {
        "model": "deepseek-flash",
        "messages": [{"role": "user", "content": f"Tell me about lighthouse number {number}."}],
        "thinking": {"type": "disabled"},
        "stream": number % EVERY_STREAMED == 0,
    }


def is_right(body: Json, response: Json) -> bool:
    """Whether a response holds exactly the text that the simulator gives to `body`."""
    message = response["choices"][0]["message"]
    return message["content"] == expected_text(body, LENGTHS)[1]
