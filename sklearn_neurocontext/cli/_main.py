"""The group of commands and the report of errors in one line."""

import os
import traceback as tracebacks

import click

from .. import __version__
from ._benchmark import benchmark, demo
from ._embed import embed, merge_stores
from ._fit import fit
from ._maps import decode, map_, report

# Errors with a message for users; torch reports a lack of memory as RuntimeError.
_ERRORS = (
    OSError,
    ValueError,
    TypeError,
    ImportError,
    MemoryError,
    OverflowError,
    EOFError,
    RuntimeError,
)
# Commands that continue where they were stopped.
_RESUMABLE = ("embed", "benchmark", "demo")


class _Group(click.Group):
    """Commands in the order in which they were added, with errors in one line."""

    def list_commands(self, ctx):
        """Return the names of the commands."""
        return list(self.commands)

    def invoke(self, ctx):
        """Run a command and print an error in one line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            if ctx.invoked_subcommand in _RESUMABLE:
                resume = "Finished parts are kept; repeat the command to resume."
                click.echo(resume, err=True)
            ctx.exit(130)
        except (click.exceptions.Exit, click.Abort):  # RuntimeErrors of click
            raise
        except _ERRORS as error:
            if ctx.params["traceback"]:
                click.echo(tracebacks.format_exc(), err=True)
                ctx.exit(1)
            raise click.ClickException(_in_one_line(error)) from error


def _in_one_line(error) -> str:
    """Return the message of an error, with its type where others raise it."""
    message = " ".join(str(error).split())
    if isinstance(error, MemoryError | RuntimeError | OverflowError | EOFError):
        message = f"{type(error).__name__} {message}".strip()
        message += " (details: neurocontext --traceback COMMAND …)"
    return message


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__, prog_name="neurocontext")
@click.option("--traceback", is_flag=True, help="Print the traceback of an error.")
def main(traceback):
    """Predict brain maps from text of neuroscience articles, and decode brain maps.

    \b
    Examples:
      neurocontext map "finger tapping" -o map.nii.gz --plot map.png
      neurocontext decode map.nii.gz
      neurocontext COMMAND --help
    """
    # Threads that wait without sleeping slow a busy machine. OpenMP reads the variable
    # when a command imports the libraries that compute.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


for _command in (map_, decode, report, fit, embed, merge_stores, benchmark, demo):
    main.add_command(_command)
