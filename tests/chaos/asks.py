"""What is asked under chaos, and what must come back: every text is known beforehand, to the byte."""

from typing import Any

from chaos.plan import Plan
from fleet_simulator.answers import expected_text
from fleet_simulator.bursts import Burst
from fleet_simulator.config import Lengths, SimulatorConfig, Timing
from fleet_simulator.faults import Fault, Kind

Json = dict[str, Any]

EVERY_STREAMED = 5
"""One request in so many streams: chunks cost more than the rest, and two cores have to do it all."""
TOKENS_PER_SECOND = 20.0
LENGTHS = Lengths(content=(15, 70))
CUT_AFTER_CHUNKS = 8


def a_simulator(plan: Plan) -> SimulatorConfig:
    """A DeepSeek whose calls take one to four seconds, and which refuses some."""
    return SimulatorConfig(
        timing=Timing(headers=0.1, first_token=0.1, tokens_per_second=TOKENS_PER_SECOND),
        lengths=LENGTHS,
        log_capacity=2_000_000,
        bursts=(Burst(503, plan.refused),) if plan.refused else (),
        seed=plan.seed,
    )


def cut_answers(plan: Plan) -> Fault:
    """The fault that resets some connections in mid-answer."""
    return Fault(Kind.RESET, probability=plan.cut, seed=plan.seed, after_chunks=CUT_AFTER_CHUNKS)


def ask(number: int) -> Json:
    """The body of one request; no two are alike."""
    return {
        "model": "deepseek-flash",
        "messages": [{"role": "user", "content": f"Tell me about lighthouse number {number}."}],
        "thinking": {"type": "disabled"},
        "stream": number % EVERY_STREAMED == 0,
    }


def text_of(response: Json) -> str:
    """The answer in a response."""
    return response["choices"][0]["message"]["content"]


def is_right(body: Json, response: Json) -> bool:
    """Whether a response holds exactly the text that the simulator gives to `body`."""
    return text_of(response) == expected_text(body, LENGTHS)[1]
