"""The endpoints that stay healthy while completions fail: models and balance."""

import orjson

from fleet_simulator.balances import Left
from fleet_simulator.models import MODELS


def models_document() -> bytes:
    """What `GET /models` answers."""
    return orjson.dumps({"object": "list", "data": [model.item() for model in MODELS.values()]})


def model_document(name: str) -> bytes | None:
    """What `GET /models/{id}` answers, or None for a model that is not there."""
    model = MODELS.get(name)
    return orjson.dumps(model.item()) if model else None


def balance_document(currency: str, left: Left) -> bytes:
    """What `GET /user/balance` answers; amounts are strings."""
    info = {
        "currency": currency,
        "total_balance": f"{left.total:.2f}",
        "granted_balance": f"{left.granted:.2f}",
        "topped_up_balance": f"{left.topped_up:.2f}",
    }
    return orjson.dumps({"is_available": left.total > 0, "balance_infos": [info]})
