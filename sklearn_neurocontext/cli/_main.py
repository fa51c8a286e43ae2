"""Command ``neurocontext``, which groups all commands and prints their errors."""

import os
import sys
import traceback as tracebacks

import click

from .. import __version__
from ._benchmark import benchmark, demo
from ._embed import embed, merge_stores
from ._fit import fit
from ._maps import decode, map_, report
from ._peaks import peaks
from ._reproduce import reproduce
from ._serve import serve
from ._studies import studies

# Errors that users may be able to resolve. The messages of these errors are printed
# without a traceback. The messages of _TERSE_ERRORS lack context, so the type of the
# error is printed too. torch raises RuntimeError if memory is insufficient.
_EXPLAINED_ERRORS = (OSError, ValueError, TypeError, ImportError)
_TERSE_ERRORS = (MemoryError, OverflowError, EOFError, RuntimeError)
# Commands that resume an interrupted run if they are repeated.
_RESUMABLE = ("embed", "benchmark", "demo", "reproduce")


class _Group(click.Group):
    """Group of commands that are listed in the order in which they were added."""

    def list_commands(self, ctx):
        """Return the names of the commands in order."""
        return list(self.commands)

    def main(self, *args, **options):
        """Run the command line; print "?" for characters that cannot be encoded."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="replace")
        return super().main(*args, **options)

    def invoke(self, ctx):
        """Run a command; if an error occurs, print the error message in one line."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("\nStopped.", err=True)
            if ctx.invoked_subcommand in _RESUMABLE:
                click.echo(
                    "Completed steps are kept; repeat the command to resume.", err=True
                )
            ctx.exit(130)
        except (click.exceptions.Exit, click.Abort):
            # These subclasses of RuntimeError are handled by click.
            raise
        except (*_EXPLAINED_ERRORS, *_TERSE_ERRORS) as error:
            if ctx.params["traceback"]:
                click.echo(tracebacks.format_exc(), err=True)
                ctx.exit(1)
            raise click.ClickException(_in_one_line(error)) from error


def _in_one_line(error) -> str:
    """Return the message of an error; for a terse error, add its type."""
    message = " ".join(str(error).split())
    if isinstance(error, _TERSE_ERRORS):
        message = f"{type(error).__name__} {message}".strip()
        message += " (details: neurocontext --traceback COMMAND …)"
    return message


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__, prog_name="neurocontext")
@click.option(
    "--traceback", is_flag=True, help="Print the traceback if an error occurs."
)
def main(traceback):
    """Predict brain maps from texts of neuroscience articles, and decode brain maps.

    \b
    Examples:
      neurocontext map "finger tapping" -o map.nii.gz --plot map.png
      neurocontext decode map.nii.gz
      neurocontext COMMAND --help
    """
    # Idle OpenMP threads should sleep, because busy waiting slows other processes.
    # OpenMP reads this variable when a command imports numerical libraries.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


for _command in (
    map_,
    decode,
    studies,
    peaks,
    report,
    serve,
    fit,
    embed,
    merge_stores,
    benchmark,
    demo,
    reproduce,
):
    main.add_command(_command)
