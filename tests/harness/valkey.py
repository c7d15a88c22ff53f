"""Valkey 8 on a Debian that has none: the packages of Debian 13."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fleet_cli.stack.report import Report
from fleet_cli.stack.store.installation import Installation
from fleet_cli.stack.store.private import private_store
from fleet_cli.stack.store.store import Store
from harness.debian import OtherBundle, loader_in, unpacked_bundle

PROGRAM = "valkey-server"
VALKEY = OtherBundle(
    title="Valkey",
    package=PROGRAM,
    megabytes=20,
    release="trixie",
    needs=(
        "valkey-tools",
        *("libc6", "libgcc-s1", "libstdc++6", "libatomic1"),
        *("libcap2", "libjemalloc2", "liblzf1", "libssl3t64", "libsystemd0", "libzstd1", "zlib1g"),
    ),
)


@asynccontextmanager
async def unpacked_valkey(
    report: Report, environ: Mapping[str, str], cache_dir: Path, *, appendonly: bool
) -> AsyncGenerator[Store]:
    """A private Valkey of Debian 13's; raises UnavailableError where this machine is no Debian."""
    root = await unpacked_bundle(VALKEY, report, environ=environ, cache_dir=cache_dir)
    program = Installation((*loader_in(root), PROGRAM, str(root / "usr/bin" / PROGRAM)))
    async with private_store(program, cache_dir, appendonly=appendonly) as store:
        yield store
