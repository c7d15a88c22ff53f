"""The endpoints that stay healthy while completions fail: models and balance."""

import orjson

from fleet_simulator.config import Account
from fleet_simulator.models import MODELS


def models_document() -> bytes:
    """What `GET /models` answers."""
    return orjson.dumps({"object": "list", "data": [model.item() for model in MODELS.values()]})


def model_document(name: str) -> bytes | None:
    """What `GET /models/{id}` answers, or None for a model that is not there."""
    model = MODELS.get(name)
    return orjson.dumps(model.item()) if model else None


def balance_document(account: Account) -> bytes:
    """What `GET /user/balance` answers; amounts are strings."""
    info = {
        "currency": account.currency,
        "total_balance": account.balance,
        "granted_balance": "0.00",
        "topped_up_balance": account.balance,
    }
    return orjson.dumps({"is_available": float(account.balance) > 0, "balance_infos": [info]})
