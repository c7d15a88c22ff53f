"""What the simulator answers to the question of a program in another language."""

from typing import Any

from fleet_simulator.answers import expected_text


def answer_to(question: str) -> str:
    """The whole text, as the programs of `contracts/examples` ask for it."""
    body: dict[str, Any] = {
        "model": "deepseek-flash",
        "messages": [{"role": "user", "content": question}],
        "thinking": {"type": "disabled"},
    }
    return expected_text(body)[1]
