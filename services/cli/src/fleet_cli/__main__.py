"""`python -m fleet_cli`: the fleet command."""

from fleet_cli.main import main

main()
