"""The shared store: Redis or Valkey, spoken to through this door alone."""

from fleet_chassis.store.errors import StoreScriptError, StoreUnavailableError
from fleet_chassis.store.redis import RedisStore, open_store
from fleet_chassis.store.scanning import fields_of, keys_beginning_with
from fleet_chassis.store.script import Script, load_script
from fleet_chassis.store.seams import Commands, Scripts

__all__ = [
    "Commands",
    "RedisStore",
    "Script",
    "Scripts",
    "StoreScriptError",
    "StoreUnavailableError",
    "fields_of",
    "keys_beginning_with",
    "load_script",
    "open_store",
]
