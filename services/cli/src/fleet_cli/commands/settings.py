"""`fleet settings`: every setting of a worker as a table."""


def settings() -> None:
    """Print every setting of a worker as a table, in Markdown."""
    from fleet_cli.console import say  # late: `fleet --help` needs none of it
    from fleet_cli.settings_table import settings_page
    from fleet_worker.settings import WorkerSettings

    say(settings_page(WorkerSettings).removesuffix("\n"))
