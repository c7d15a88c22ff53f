"""`python -m fleet_simulator`: a simulated DeepSeek in the foreground."""

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NoReturn

from fleet_simulator.config import CURRENCIES, DEFAULT_KEY, Account, SimulatorConfig, Timing
from fleet_simulator.models import FLASH, PRO
from fleet_simulator.server import run
from fleet_simulator.sessions import SessionRules

_FAILED = 1
_WRONG_INPUT = 2
_HIGHEST_PORT = 65_535


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and run until SIGINT or SIGTERM.

    Raises:
        SystemExit: 2 for wrong arguments and 1 for an address that cannot be used, each with one sentence on
            stderr.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    config = _config_or_sentence(parser, options)
    try:
        run(config, options.host, options.port)
    except OSError as error:
        parser.exit(_FAILED, _sentence(parser, f"cannot listen on {options.host}:{options.port}: {error}"))


def config_from(options: argparse.Namespace) -> SimulatorConfig:
    """The configuration that the arguments ask for.

    Raises:
        ValueError: A value is out of its range.
    """
    keys: dict[str, list[str]] = defaultdict(list)
    for account, key in options.key or [("default", DEFAULT_KEY)]:
        keys[account].append(key)
    amounts: dict[str, str] = dict(options.balance or ())
    unknown = amounts.keys() - keys.keys() - {""}
    if unknown:
        raise ValueError(f"--balance names {sorted(unknown)}, and --key does not: give each a key")
    usual = amounts.get("", Account("", ()).balance)
    timing = Timing(
        headers=options.headers_delay,
        first_token=options.first_token_delay,
        keep_alive=options.keep_alive,
        tokens_per_second=options.tokens_per_second,
    )
    return SimulatorConfig(
        accounts=tuple(
            Account(name, tuple(own), balance=amounts.get(name, usual), currency=options.currency)
            for name, own in keys.items()
        ),
        limits={FLASH: options.flash_limit, PRO: options.pro_limit},
        timing=timing,
        speed=options.speed,
        seed=options.seed,
        sessions=_sessions(options.sessions),
    )


def _sessions(lifetime: float | None) -> SessionRules:
    return SessionRules() if lifetime is None else SessionRules(required=True, lifetime=lifetime)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # One sentence, and not the usage in front of it: --help is for that.
        self.exit(_WRONG_INPUT, _sentence(self, f"{message}; --help lists the options"))


def _sentence(parser: argparse.ArgumentParser, text: str) -> str:
    return f"{parser.prog}: {' '.join(text.split())}\n"


def _config_or_sentence(parser: argparse.ArgumentParser, options: argparse.Namespace) -> SimulatorConfig:
    try:
        return config_from(options)
    except ValueError as error:
        parser.error(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="fleet_simulator", description="A simulated DeepSeek API.")
    add = parser.add_argument
    published, timing = SimulatorConfig().limits, Timing()
    seconds, calls = _number(float, 0), _number(int, 0)
    add("--host", default="127.0.0.1", help="address to listen on (the control surface has no key)")
    add(
        "--port",
        type=_number(int, 0, _HIGHEST_PORT),
        default=0,
        help="port; 0 takes a free one and prints it",
    )
    add("--key", action="append", type=_account_key, metavar="[ACCOUNT=]KEY", help="a key that is let in")
    add("--flash-limit", type=calls, default=published[FLASH], help="calls in flight, deepseek-flash")
    add("--pro-limit", type=calls, default=published[PRO], help="calls in flight, deepseek-v4-pro")
    add(
        "--balance",
        action="append",
        type=_account_balance,
        metavar="[ACCOUNT=]AMOUNT",
        help="money of each account, or of one; calls are charged to it",
    )
    add("--currency", choices=CURRENCIES, default="CNY", help="of the balance")
    add("--headers-delay", type=seconds, default=timing.headers, help="seconds until the headers")
    add("--first-token-delay", type=seconds, default=timing.first_token, help="seconds from there to text")
    add("--keep-alive", type=_above_zero, default=timing.keep_alive, help="seconds between keep-alives")
    add("--tokens-per-second", type=seconds, default=timing.tokens_per_second, help="a stream; 0: no pause")
    add("--speed", type=_above_zero, default=1.0, help="divides every delay")
    add(
        "--sessions",
        type=_above_zero,
        metavar="SECONDS",
        help="exchange keys at /v1/auth for tokens that live so long; DeepSeek has no such thing",
    )
    add("--seed", type=int, default=0, help="where chance starts")
    return parser


def _number(kind: type[int] | type[float], least: float, most: float = math.inf) -> Callable[[str], float]:
    wanted = f"from {least} to {most}" if math.isfinite(most) else f"from {least} up"

    def read(given: str) -> float:
        try:
            number = kind(given)
        except ValueError:
            number = math.nan
        if not (least <= number <= most and math.isfinite(number)):
            raise argparse.ArgumentTypeError(f"{given!r} is no {_NAMES[kind]} {wanted}")
        return number

    return read


def _above_zero(given: str) -> float:
    number = _number(float, 0)(given)
    if not number:
        raise argparse.ArgumentTypeError("it must be more than 0")
    return number


def _account_balance(given: str) -> tuple[str, str]:
    account, _, amount = given.rpartition("=")
    return account, amount


def _account_key(given: str) -> tuple[str, str]:
    account, _, key = given.rpartition("=")
    return account or "default", key


_NAMES = {int: "whole number", float: "number"}

if __name__ == "__main__":
    main()
