"""Run the command line inside the tests."""

from click.testing import CliRunner

from sklearn_neurocontext.cli import main


def run(*arguments):
    """Run a command; the result has exit_code, stdout and stderr."""
    return CliRunner().invoke(
        main, [*map(str, arguments)], prog_name="neurocontext", catch_exceptions=False
    )
