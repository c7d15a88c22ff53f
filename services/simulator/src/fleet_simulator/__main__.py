"""`python -m fleet_simulator`: a simulated DeepSeek in the foreground."""

import argparse
from collections import defaultdict
from collections.abc import Sequence

from fleet_simulator.config import DEFAULT_KEY, Account, SimulatorConfig, Timing
from fleet_simulator.models import FLASH, PRO
from fleet_simulator.server import run


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments and run until SIGINT or SIGTERM."""
    options = _parser().parse_args(arguments)
    run(config_from(options), options.host, options.port)


def config_from(options: argparse.Namespace) -> SimulatorConfig:
    """The configuration that the arguments ask for."""
    keys: dict[str, list[str]] = defaultdict(list)
    for account, key in options.key or [("default", DEFAULT_KEY)]:
        keys[account].append(key)
    timing = Timing(
        headers=options.headers_delay,
        first_token=options.first_token_delay,
        keep_alive=options.keep_alive,
        tokens_per_second=options.tokens_per_second,
    )
    return SimulatorConfig(
        accounts=tuple(Account(name, tuple(own)) for name, own in keys.items()),
        limits={FLASH: options.flash_limit, PRO: options.pro_limit},
        timing=timing,
        speed=options.speed,
        seed=options.seed,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fleet_simulator", description="A simulated DeepSeek API.")
    add = parser.add_argument
    published, timing = SimulatorConfig().limits, Timing()
    add("--host", default="127.0.0.1", help="address to listen on (the control surface has no key)")
    add("--port", type=int, default=0, help="port; 0 takes a free one and prints it")
    add("--key", action="append", type=_account_key, metavar="[ACCOUNT=]KEY", help="a key that is let in")
    add("--flash-limit", type=int, default=published[FLASH], help="calls in flight, deepseek-flash")
    add("--pro-limit", type=int, default=published[PRO], help="calls in flight, deepseek-v4-pro")
    add("--headers-delay", type=float, default=timing.headers, help="seconds until the headers")
    add("--first-token-delay", type=float, default=timing.first_token, help="seconds from there to text")
    add("--keep-alive", type=float, default=timing.keep_alive, help="seconds between keep-alives")
    add(
        "--tokens-per-second", type=float, default=timing.tokens_per_second, help="of one stream; 0: no pause"
    )
    add("--speed", type=float, default=1.0, help="divides every delay")
    add("--seed", type=int, default=0, help="where chance starts")
    return parser


def _account_key(given: str) -> tuple[str, str]:
    account, _, key = given.rpartition("=")
    return account or "default", key


if __name__ == "__main__":
    main()
