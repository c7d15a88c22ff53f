"""Token accounts, as the real API writes them."""

from dataclasses import dataclass

from fleet_simulator.answers import Answer


@dataclass(frozen=True, slots=True)
class Usage:
    """What a call cost in tokens.

    Attributes:
        prompt: Tokens of the prompt, hit and miss together.
        hit: Those of them found in the context cache.
        completion: Tokens written, reasoning included.
        reasoning: The reasoning among them; None with thinking off, which leaves the details key out.
    """

    prompt: int
    hit: int
    completion: int
    reasoning: int | None

    def as_json(self) -> dict[str, object]:
        """The `usage` object, keys in the order seen on the wire."""
        details = {"completion_tokens_details": {"reasoning_tokens": self.reasoning}}
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.hit},
            **(details if self.reasoning is not None else {}),
            "prompt_cache_hit_tokens": self.hit,
            "prompt_cache_miss_tokens": self.prompt - self.hit,
        }


def usage_of(answer: Answer, prompt_tokens: int, cached_tokens: int = 0) -> Usage:
    """The usage of an answer."""
    reasoning = None if answer.reasoning is None else answer.reasoning_tokens
    return Usage(prompt_tokens, cached_tokens, answer.completion_tokens, reasoning)
