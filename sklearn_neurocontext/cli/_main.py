"""Parse arguments, run the command, and say errors in one line."""

import argparse
import os
import re
import sys
from importlib import import_module

from .. import __version__
from ._corpus_parsers import add_corpus_commands
from ._map_parsers import add_map_commands

# Errors that tell a user something; torch says that memory ran out as RuntimeError.
_SAID = (
    OSError,
    ValueError,
    TypeError,
    ImportError,
    MemoryError,
    OverflowError,
    EOFError,
    RuntimeError,
)
# What the package calls a parameter, the command line has as an option.
_OPTIONS = {
    "atlas": "--atlas",
    "model_name": "--encoder",
    "n_components": "--components",
    "n_exchanges": "--exchanges",
    "n_candidates": "--candidates",
}
# Words in quotes, such as paths, and shapes of arrays are no parameters.
_PARAMETER = re.compile(
    r"""(?<!\w)'[^']*'(?!\w)|"[^"]*"|“[^”]*”|\((?:\w+, ?)+\w*\)"""
    rf"|(?<![\w/\\(.-])({'|'.join(_OPTIONS)})(=|(?=[.,;]?(?:\s|$)))"
)


def main(argv=None) -> int:
    """Run the command ``neurocontext``.

    Parameters
    ----------
    argv : list of str or None, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    code : int
        0 where all went well, 1 for an error that is said in one line, 130 after
        Ctrl-C; argparse leaves with 2 where arguments are wrong.
    """
    arguments = _parser().parse_args(argv)
    # Threads that spin while they wait slow a busy machine many times over. OpenMP
    # reads it once, when what computes is imported below.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        module, function = arguments.run.split(".")
        getattr(import_module(f".{module}", __package__), function)(arguments)
    except KeyboardInterrupt:
        kept = "What was finished is kept; the same command goes on."
        print(f"\nStopped. {kept if arguments.resumes else ''}", file=sys.stderr)
        return 130
    except _SAID as error:
        if arguments.traceback:
            raise
        print(f"neurocontext: {_in_one_line(error, arguments)}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neurocontext",
        description="Text of neuroscience articles to brain maps and back.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.add_argument(
        "--traceback", action="store_true", help="show where an error came from"
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    add_map_commands(commands)
    add_corpus_commands(commands)
    return parser


def _in_one_line(error, arguments) -> str:
    """Say an error of this package as it is, and name the kind of others' errors."""
    words = " ".join(str(error).split())
    words = _PARAMETER.sub(lambda found: _name_option(found, arguments), words)
    if isinstance(error, MemoryError | RuntimeError | OverflowError | EOFError):
        words = f"{type(error).__name__} {words}".strip()
        words += " (neurocontext --traceback … shows where)"
    return words


def _name_option(found, arguments) -> str:
    """Write ``n_components=5`` as ``--components 5``; a bare atlas is no parameter."""
    name, equals = found.groups()
    option = _OPTIONS.get(name, "")
    if option[2:] not in vars(arguments) or (name == "atlas" and not equals):
        return found[0]
    return option + (" " if equals else "")
