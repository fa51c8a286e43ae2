"""Parse arguments, run the command, and say errors in one line."""

import argparse
import sys
import textwrap
from pathlib import Path

from .. import __version__
from ._map_parsers import add_map_commands

# Names that the package has, too; importing them here would make --help slow.
_CORPUS = (
    "nimare, neuroquery, neurosynth, neuroquery+neurosynth, or the folder of a corpus "
    "(files of pubget, NeuroQuery, Neurosynth or a NiMARE studyset, or tables named "
    "studies and peaks)"
)
_ENCODER = "minilm, or the name or folder of a language model"
_PARTS = ("title", "abstract", "body", "title+abstract")
_ESTIMATORS = ("contrastive", "cca", "ridge", "mlp")


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
    try:
        arguments.run(arguments)
    except KeyboardInterrupt:
        kept = "What was finished is kept; the same command goes on."
        print(f"\nStopped. {kept if arguments.resumes else ''}", file=sys.stderr)
        return 130
    except (OSError, ValueError, TypeError, ImportError) as error:
        if arguments.traceback:
            raise
        print(f"neurocontext: {error}", file=sys.stderr)
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
    checks = {"sentence": _sentence, "positive": _positive}
    add_map_commands(commands, _add_command, checks)
    _add_demo(commands)
    _add_embed(commands)
    _add_fit(commands)
    _add_benchmark(commands)
    return parser


class _HelpFormatter(
    argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter
):
    """Defaults beside options, examples line by line."""


def _add_command(commands, name, help_text, run, *, resumes, examples=()):
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


def _add_demo(commands):
    demo = _add_command(
        commands,
        "demo",
        "The main job on 320 real studies: 15 folds, four estimators, pictures.",
        _run_demo,
        resumes=True,
    )
    demo.add_argument(
        "--sentence",
        type=_sentence,
        default="working memory load in the n-back task",
        help="predict the map of this sentence",
    )
    _add_output(demo, "demo_output")


def _add_embed(commands):
    embed = _add_command(
        commands,
        "embed",
        "Embed the texts of a corpus into a store, an array, or both. With a store, a "
        "run that was stopped goes on where it was.",
        _run_embed,
        resumes=True,
    )
    embed.add_argument("corpus", nargs="?", help=_CORPUS)
    embed.add_argument(
        "--text", choices=_PARTS, default="title+abstract", help="part of the text"
    )
    embed.add_argument(
        "--store", type=Path, help="file of the store, on a disk of this host"
    )
    embed.add_argument(
        "--output", type=Path, help="FILE.npy, one row per study of FILE.csv beside it"
    )
    embed.add_argument(
        "--merge",
        nargs="+",
        type=Path,
        metavar="SHARD",
        help="join these stores into --store instead of embedding",
    )
    embed.add_argument("--encoder", default="minilm", help=_ENCODER)
    embed.add_argument("--revision", help="commit of the language model on the hub")
    embed.add_argument(
        "--chunk-size", type=_positive, help="tokens; without it, the model's limit"
    )
    embed.add_argument(
        "--batch-tokens",
        type=_positive,
        help="tokens in a batch; without it, what is fastest for MiniLM on two cores, "
        "while GPUs want more",
    )
    embed.add_argument("--device", default="auto", help="cpu, cuda:0, …, or auto")
    embed.add_argument(
        "--dtype",
        choices=("auto", "float32", "bfloat16", "float16"),
        default="auto",
        help="precision",
    )
    embed.add_argument("--jobs", type=_positive, help="workers on this host")
    embed.add_argument(
        "--shards", type=Path, help="folder where each worker also keeps a store"
    )


def _add_fit(commands):
    fit = _add_command(
        commands,
        "fit",
        "Fit the contrastive model to a corpus; predict and retrieve for sentences.",
        _run_fit,
        resumes=False,
    )
    fit.add_argument("corpus", help=_CORPUS)
    fit.add_argument(
        "--sentence",
        action="append",
        type=_sentence,
        metavar="TEXT",
        help="predict the map of this sentence; may be given several times "
        "(without any, the studies' own texts are predicted)",
    )
    fit.add_argument(
        "--text", choices=_PARTS, default="title+abstract", help="part of the text"
    )
    _add_choices(fit, components=256)
    fit.add_argument(
        "--estimator",
        choices=_ESTIMATORS,
        default="contrastive",
        help="what to fit",
    )
    _add_output(fit, "fit_output")


def _add_benchmark(commands):
    benchmark = _add_command(
        commands,
        "benchmark",
        "Estimators on the same splits of a corpus: tables and pictures. A run that "
        "was stopped goes on where it was.",
        _run_benchmark,
        resumes=True,
    )
    benchmark.add_argument("--corpus", default="neuroquery+neurosynth", help=_CORPUS)
    benchmark.add_argument(
        "--text", choices=_PARTS, default="title", help="part of the text"
    )
    _add_choices(benchmark, components=512)
    benchmark.add_argument(
        "--estimators",
        default=",".join(_ESTIMATORS),
        type=_words,
        help="separated by commas",
    )
    benchmark.add_argument("--folds", type=_positive, default=15, help="splits")
    benchmark.add_argument(
        "--candidates",
        type=_candidates,
        default=1000,
        help="studies in each test part, or 'fold' for shuffled folds of the corpus",
    )
    benchmark.add_argument(
        "--ks", type=_numbers, default="10,100", help="k of each recall"
    )
    benchmark.add_argument(
        "--full-training",
        action="store_true",
        help="also train the contrastive model for all its epochs on the first split",
    )
    _add_output(benchmark, "benchmark_output")


def _add_choices(command, components):
    command.add_argument(
        "--encoder",
        default="minilm",
        help=_ENCODER,
    )
    command.add_argument(
        "--atlas",
        default="geometric",
        help="geometric, difumo, or the file of an atlas",
    )
    command.add_argument(
        "--components", type=_positive, default=components, help="maps of the atlas"
    )
    command.add_argument("--seed", type=int, default=0, help="seed of splits and nets")


def _add_output(command, folder):
    command.add_argument(
        "--output", type=_folder, default=Path(folder), help="folder of what is made"
    )


def _folder(text):
    path = Path(text).expanduser()
    if path.exists() and not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is a file; name a folder")
    return path


def _sentence(text):
    if not text.strip():
        raise argparse.ArgumentTypeError("a sentence needs at least one word")
    return text


def _words(text):
    words = tuple(word.strip() for word in text.split(",") if word.strip())
    if not words:
        raise argparse.ArgumentTypeError(f"{text!r} names nothing")
    return words


def _numbers(text):
    return tuple(_positive(word) for word in _words(text))


def _positive(text):
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no positive integer")
    return int(text)


def _candidates(text):
    return text if text == "fold" else _positive(text)


# A command's module loads what it needs only when it runs: --help stays quick.
def _run_demo(arguments):
    from ._demo import run

    run(arguments)


def _run_embed(arguments):
    from ._embed import run

    run(arguments)


def _run_fit(arguments):
    from ._fit import run

    run(arguments)


def _run_benchmark(arguments):
    from ._benchmark import run

    run(arguments)
