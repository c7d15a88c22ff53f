"""`fleet metrics`: every metric of a worker as a table."""


def metrics() -> None:
    """Print every metric of a worker as a table, in Markdown."""
    from fleet_cli.console import say  # late: `fleet --help` needs none of it
    from fleet_cli.metrics_table import metrics_page
    from fleet_worker.showing import every_metric

    say(metrics_page(every_metric()).removesuffix("\n"))
