"""Arguments of the commands that use a trained model."""

import argparse
from pathlib import Path


def add_map_commands(commands, add_command, checks) -> None:
    """Add ``map``, ``decode`` and ``report``.

    Parameters
    ----------
    commands : argparse's subparsers
        Where to add them.
    add_command : callable
        Adds one, as `_main` does for all commands.
    checks : dict of str to callable
        ``sentence`` and ``positive``, which read an argument.
    """
    _add_map(commands, add_command, checks)
    _add_decode(commands, add_command, checks)
    _add_report(commands, add_command, checks)


def _add_map(commands, add_command, checks):
    command = add_command(
        commands,
        "map",
        "The brain map to expect from a text, by a trained model.",
        _run_map,
        resumes=False,
        examples=(
            'neurocontext map "reading words aloud" -o map.nii.gz --plot map.png',
            'neurocontext map "finger tapping" -o z.nii.gz --z --model FOLDER',
        ),
    )
    command.add_argument("text", type=checks["sentence"], help="a text of any length")
    command.add_argument(
        "-o", "--output", type=_nifti, required=True, help="file of the map (.nii.gz)"
    )
    command.add_argument("--plot", type=_picture, help="file of a picture (.png, .pdf)")
    command.add_argument(
        "--z",
        action="store_true",
        help="write the z map, which says where the map differs from any text's",
    )
    _add_model(command)


def _add_decode(commands, add_command, checks):
    command = add_command(
        commands,
        "decode",
        "The terms, studies or texts that match a brain map best.",
        _run_decode,
        resumes=False,
        examples=(
            "neurocontext decode map.nii.gz",
            "neurocontext decode map.nii.gz --corpus nimare -k 50",
            "neurocontext decode map.nii.gz --text faces --text pain",
        ),
    )
    command.add_argument("image", type=Path, help="a map in MNI space (.nii.gz)")
    command.add_argument(
        "--corpus",
        help="rank the studies of this corpus by their titles, not the model's terms "
        "(a name or a folder, as for the command fit)",
    )
    command.add_argument(
        "--text",
        action="append",
        type=checks["sentence"],
        help="rank this text; may be given several times",
    )
    command.add_argument(
        "-k", type=checks["positive"], default=20, help="candidates to give"
    )
    command.add_argument("-o", "--output", type=Path, help="file of the table (.csv)")
    _add_model(command)


def _add_report(commands, add_command, checks):
    command = add_command(
        commands,
        "report",
        "One HTML page about a text: map, terms, studies. It opens without network.",
        _run_report,
        resumes=False,
        examples=(
            'neurocontext report "fear" -o report.html',
            'neurocontext report "fear" --corpus nimare -o report.html',
        ),
    )
    command.add_argument("text", type=checks["sentence"], help="a text of any length")
    command.add_argument(
        "-o", "--output", type=Path, required=True, help="file of the page (.html)"
    )
    command.add_argument(
        "--corpus", help="list its nearest studies (a name or a folder)"
    )
    _add_model(command)


def _add_model(command):
    command.add_argument(
        "--model",
        default="minilm",
        help="folder of a model that NeuroContextModel.save wrote; without it, the "
        "model that comes with the package",
    )


def _nifti(text):
    return _with_ending(text, (".nii", ".nii.gz"))


def _picture(text):
    return _with_ending(text, (".png", ".pdf", ".svg"))


def _with_ending(text, endings):
    if not text.endswith(endings):
        raise argparse.ArgumentTypeError(f"{text!r} must end in {' or '.join(endings)}")
    return Path(text)


def _run_map(arguments):
    from ._maps import run_map

    run_map(arguments)


def _run_decode(arguments):
    from ._maps import run_decode

    run_decode(arguments)


def _run_report(arguments):
    from ._maps import run_report

    run_report(arguments)
