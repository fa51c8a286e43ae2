"""Arguments of the commands that start from a corpus."""

from pathlib import Path

from . import _readers as read
from ._command import add_command

# Names that the package has, too; importing them here would make --help slow.
_CORPUS = (
    "nimare, neuroquery, neurosynth, neuroquery+neurosynth, or the folder of a corpus "
    "(files of pubget, NeuroQuery, Neurosynth or a NiMARE studyset, or tables named "
    "studies and peaks)"
)
# Encoder where none is given.
ENCODER = "minilm"
_PARTS = ("title", "abstract", "body", "title+abstract")
_ESTIMATORS = ("contrastive", "cca", "ridge", "mlp")
_TEXT_ESTIMATORS = ("best_text_brain",)


def add_corpus_commands(commands) -> None:
    """Add ``demo``, ``embed``, ``fit`` and ``benchmark`` to argparse's subparsers."""
    _add_demo(commands)
    _add_embed(commands)
    _add_fit(commands)
    _add_benchmark(commands)


def _add_demo(commands):
    demo = add_command(
        commands,
        "demo",
        "The main job on 320 real studies, of the n-back and the flanker task: 15 "
        "folds, four estimators, pictures.",
        "_demo.run",
        resumes=True,
    )
    demo.add_argument(
        "--sentence",
        type=read.sentence,
        default="working memory load in the n-back task",
        help="predict the map of this sentence",
    )
    _add_output(demo, "demo_output")


def _add_embed(commands):
    embed = add_command(
        commands,
        "embed",
        "Embed the texts of a corpus into a store, an array, or both. With a store, a "
        "run that was stopped goes on where it was.",
        "_embed.run",
        resumes=True,
    )
    embed.add_argument("corpus", nargs="?", help=_CORPUS)
    _add_part(embed, "title+abstract")
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
    _add_language_model(embed)
    embed.add_argument("--jobs", type=read.positive, help="workers on this host")
    embed.add_argument(
        "--shards", type=Path, help="folder where each worker also keeps a store"
    )


def _add_language_model(embed):
    _add_encoder(embed)
    embed.add_argument("--revision", help="commit of the language model on the hub")
    embed.add_argument(
        "--chunk-size", type=read.positive, help="tokens; without it, the model's limit"
    )
    embed.add_argument(
        "--batch-tokens",
        type=read.positive,
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


def _add_fit(commands):
    fit = add_command(
        commands,
        "fit",
        "Fit a model to a corpus, and save it: map, decode and report take its folder "
        "as --model. Predict and retrieve for sentences.",
        "_fit.run",
        resumes=False,
        examples=(
            "neurocontext fit my_corpus --output fitted",
            'neurocontext map "pain" -o map.nii.gz --model fitted',
            "neurocontext decode map.nii.gz --model fitted",
        ),
    )
    fit.add_argument("corpus", help=_CORPUS)
    fit.add_argument(
        "--sentence",
        action="append",
        type=read.sentence,
        metavar="TEXT",
        help="predict the map of this sentence; may be given several times "
        "(without any, those of the studies themselves, which flatters the model)",
    )
    _add_part(fit, "title+abstract")
    _add_choices(fit, components=256)
    fit.add_argument(
        "--estimator",
        choices=(*_ESTIMATORS, *_TEXT_ESTIMATORS),
        default="contrastive",
        help="what to fit; best_text_brain retrieves best, needs a few hundred studies "
        "and takes no --encoder",
    )
    fit.add_argument(
        "--exchanges",
        type=read.whole,
        default=5,
        help="how often to fit anew to exchanged studies, which is what z maps are "
        "compared with; 0 gives a model without z maps",
    )
    _add_output(fit, "fit_output")


def _add_benchmark(commands):
    benchmark = add_command(
        commands,
        "benchmark",
        "Estimators on the same splits of a corpus: tables and pictures. A run that "
        "was stopped goes on where it was.",
        "_benchmark.run",
        resumes=True,
    )
    benchmark.add_argument("--corpus", default="neuroquery+neurosynth", help=_CORPUS)
    _add_part(benchmark, "title")
    _add_choices(benchmark, components=512)
    benchmark.add_argument(
        "--estimators",
        default=",".join(_ESTIMATORS),
        type=read.words,
        help=f"separated by commas, of {', '.join((*_ESTIMATORS, *_TEXT_ESTIMATORS))}",
    )
    benchmark.add_argument("--folds", type=read.positive, default=15, help="splits")
    benchmark.add_argument(
        "--candidates",
        type=read.candidates,
        default=1000,
        help="studies in each test part, or 'fold' for shuffled folds of the corpus",
    )
    benchmark.add_argument(
        "--ks", type=read.numbers, default="10,100", help="k of each recall"
    )
    benchmark.add_argument(
        "--full-training",
        action="store_true",
        help="also train the contrastive model for all its epochs on the first split",
    )
    _add_output(benchmark, "benchmark_output")


def _add_part(command, default):
    command.add_argument(
        "--text", choices=_PARTS, default=default, help="part of the text"
    )


def _add_encoder(command):
    command.add_argument(
        "--encoder",
        default=ENCODER,
        help="minilm, or the name or folder of a language model",
    )


def _add_choices(command, components):
    _add_encoder(command)
    command.add_argument(
        "--atlas",
        default="geometric",
        help="geometric, difumo, or the file of an atlas",
    )
    command.add_argument(
        "--components", type=read.positive, default=components, help="maps of the atlas"
    )
    command.add_argument("--seed", type=int, default=0, help="seed of splits and nets")


def _add_output(command, folder):
    command.add_argument(
        "--output",
        type=read.folder,
        default=Path(folder),
        help="folder of what is made",
    )
