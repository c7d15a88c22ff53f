"""Which packages of the distribution make a store. Every Debian and Ubuntu since 22.04 has Redis."""

from fleet_cli.stack.packages import Bundle

REDIS = Bundle(title="Redis", package="redis-server", megabytes=2)
