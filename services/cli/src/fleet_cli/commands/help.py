"""`fleet help`: the help of every command as one page."""


def help_() -> None:
    """Print the help of every command as one page, in Markdown."""
    from fleet_cli.console import say  # late: `fleet --help` needs none of it
    from fleet_cli.help_page import help_page
    from fleet_cli.main import app

    say(help_page(app).removesuffix("\n"))
