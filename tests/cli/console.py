"""Run the command line inside the tests."""

from click.testing import CliRunner

from sklearn_neurocontext.cli import main


def run(*arguments):
    """Run a command and return click's result."""
    return CliRunner().invoke(
        main, [*map(str, arguments)], prog_name="neurocontext", catch_exceptions=False
    )
