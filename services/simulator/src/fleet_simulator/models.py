"""The models served, their aliases and what `/models` says about them."""

from dataclasses import dataclass

FLASH = "deepseek-flash"
PRO = "deepseek-v4-pro"

CONTEXT_WINDOW = 1_048_576
MAX_OUTPUT_TOKENS = 393_216
FIM_MAX_OUTPUT_TOKENS = 4096

_EFFORT: dict[str, object] = {"supported_levels": ["low", "high", "max"], "default_level": "high"}
_ALIASES = {"deepseek-v4-flash": FLASH, "deepseek-v4-flash-vision-exp": FLASH}


@dataclass(frozen=True, slots=True)
class Model:
    """One model as the catalogue describes it."""

    id: str
    name: str
    input_modalities: tuple[str, ...]

    def item(self) -> dict[str, object]:
        """The entry in `/models`, in the shape probed in September 2026."""
        return {
            "id": self.id,
            "name": self.name,
            "context_window": CONTEXT_WINDOW,
            "max_output_tokens": MAX_OUTPUT_TOKENS,
            "input_modalities": list(self.input_modalities),
            "output_modalities": ["text"],
            "effort": _EFFORT,
        }


MODELS = {
    FLASH: Model(FLASH, "DeepSeek-V4.1-Flash", ("text", "image")),
    PRO: Model(PRO, "DeepSeek-V4-Pro", ("text",)),
}


def served_model(name: str) -> str | None:
    """The model that answers to `name`, or None when no model does (the 2025 names are gone)."""
    return name if name in MODELS else _ALIASES.get(name)
