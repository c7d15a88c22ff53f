"""What a line of a batch may cost before any has told, by DeepSeek's published prices."""

from fleet_cli.batch.checking import Checked
from fleet_cli.batch.wish import Wish
from fleet_worker.completion import TOKENS_A_BYTE
from fleet_worker.prices import published_prices

_OUTPUT_TOKENS = 1000


def guess_nano(found: Checked, wish: Wish, now_ms: int) -> int:
    """Billionths of a dollar for a line of middle length, of the dearest model that the file asks, now."""
    prompt = int(found.bytes / max(1, found.lines) * TOKENS_A_BYTE) + 1
    longest = wish.choices.fields.get("max_tokens")
    output = min(_OUTPUT_TOKENS, longest) if isinstance(longest, int) else _OUTPUT_TOKENS
    prices = published_prices()
    return max(prices.worst_nano(model, prompt, output, now_ms, now_ms) for model in found.models)


def cost_of_all_nano(found: Checked, wish: Wish, now_ms: int) -> int:
    """The same for all lines."""
    return guess_nano(found, wish, now_ms) * found.lines
