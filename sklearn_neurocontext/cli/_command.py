"""What all parsers of commands share."""

import argparse
import textwrap


class _HelpFormatter(
    argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter
):
    """Defaults beside options that have one, examples line by line."""

    def _get_help_string(self, action):
        if action.default is None or action.default is False:
            return action.help
        return super()._get_help_string(action)


def add_command(commands, name, help_text, run, *, resumes, examples=()):
    """Add a command.

    Parameters
    ----------
    commands : argparse's subparsers
        Where to add it.
    name : str
        Of the command.
    help_text : str
        What it does.
    run : str
        Module and function that run it, ``"_maps.run_map"``; the module is loaded only
        then, so that --help stays quick.
    resumes : bool
        Whether a command that was stopped goes on where it was.
    examples : sequence of str, default=()
        Lines that a user may type.

    Returns
    -------
    command : ArgumentParser
        To add arguments to.
    """
    lines = ["examples:", *(f"  {example}" for example in examples)]
    command = commands.add_parser(
        name,
        help=help_text,
        description=textwrap.fill(help_text, 80),
        epilog="\n".join(lines) if examples else None,
        formatter_class=_HelpFormatter,
    )
    command.set_defaults(run=run, resumes=resumes)
    return command
