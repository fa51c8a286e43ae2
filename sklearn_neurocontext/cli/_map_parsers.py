"""Arguments of the commands that use a trained model."""

from pathlib import Path

from . import _readers as read
from ._command import add_command

_TEXT = "words, a sentence, a title or an abstract"


def add_map_commands(commands) -> None:
    """Add ``map``, ``decode`` and ``report`` to argparse's subparsers."""
    _add_map(commands)
    _add_decode(commands)
    _add_report(commands)


def _add_map(commands):
    command = add_command(
        commands,
        "map",
        "The brain map to expect from a text, by a trained model.",
        "_maps.run_map",
        resumes=False,
        examples=(
            'neurocontext map "reading words aloud" -o map.nii.gz --plot map.png',
            'neurocontext map "finger tapping" -o z.nii.gz --z',
            'neurocontext map "finger tapping" -o map.nii.gz --model fitted',
        ),
    )
    command.add_argument("text", type=read.sentence, help=_TEXT)
    command.add_argument(
        "-o",
        "--output",
        type=read.nifti,
        required=True,
        help="file of the map (.nii.gz)",
    )
    command.add_argument(
        "--plot", type=read.picture, help="file of a picture (.png, .pdf, .svg)"
    )
    command.add_argument(
        "--z",
        action="store_true",
        help="write the z map, which says where the map differs from that of any text, "
        "in units of chance",
    )
    _add_model(command)


def _add_decode(commands):
    command = add_command(
        commands,
        "decode",
        "The terms, studies or texts that match a brain map best.",
        "_maps.run_decode",
        resumes=False,
        examples=(
            "neurocontext decode map.nii.gz",
            "neurocontext decode map.nii.gz --corpus nimare -k 50",
            "neurocontext decode map.nii.gz --text faces --text pain",
        ),
    )
    command.add_argument("image", type=Path, help="a map in MNI space (.nii.gz)")
    ranked = command.add_mutually_exclusive_group()
    ranked.add_argument(
        "--corpus",
        help="rank the studies of this corpus by their titles, not the model's terms "
        "(a name or a folder, as for the command fit)",
    )
    ranked.add_argument(
        "--text",
        action="append",
        type=read.sentence,
        help="rank this text; may be given several times",
    )
    command.add_argument(
        "-k", type=read.positive, default=20, help="candidates to give"
    )
    command.add_argument("-o", "--output", type=Path, help="file of the table (.csv)")
    _add_model(command)


def _add_report(commands):
    command = add_command(
        commands,
        "report",
        "One HTML page about a text: map, terms, studies. It opens without network.",
        "_maps.run_report",
        resumes=False,
        examples=(
            'neurocontext report "fear" -o report.html',
            'neurocontext report "fear" --corpus nimare -o report.html',
        ),
    )
    command.add_argument("text", type=read.sentence, help=_TEXT)
    command.add_argument(
        "-o", "--output", type=read.page, required=True, help="file of the page (.html)"
    )
    command.add_argument(
        "--corpus", help="list its nearest studies (a name or a folder)"
    )
    _add_model(command)


def _add_model(command):
    command.add_argument(
        "--model",
        default="minilm",
        help="folder that neurocontext fit or NeuroContextModel.save wrote; without "
        "it, the model that comes with the package",
    )
    command.add_argument(
        "--allow-download",
        action="store_true",
        help="fetch a language model or an atlas that the model wants and that is not "
        "on this machine",
    )
