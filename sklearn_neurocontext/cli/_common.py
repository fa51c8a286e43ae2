"""Options and notes shared by the commands.

Slow libraries are imported inside functions, so that ``--help`` is fast.
"""

import sys
import warnings
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import click

from .._utils.files import atomic_output, expand_path, write_table
from .._utils.progress import progress_bar

# These values are also defined in the subpackages datasets, experiments and plotting.
# They are repeated here, because importing these subpackages would slow down --help.
TEXT_FIELDS = ("title", "abstract", "body", "title+abstract")
ESTIMATORS = ("contrastive", "cca", "ridge", "mlp")
TEXT_ESTIMATORS = ("best_text_brain",)
VIEWS = ("slices", "glass", "surface")
MINILM = "minilm"
CORPUS_HELP = (
    "CORPUS is nimare, neuroquery, neurosynth, neuroquery+neurosynth, a text file of "
    "Sleuth or GingerALE, a NiMARE studyset in JSON, or a folder. A folder must "
    "contain the output of pubget, the files of NeuroQuery or Neurosynth, a NiMARE "
    "studyset, tables named studies and peaks, or text files of Sleuth or GingerALE."
)


POSITIVE_INTEGER = click.IntRange(min=1)


class Text(click.ParamType):
    """Parameter type of a text with at least one word."""

    name = "text"

    def convert(self, value, param, ctx):
        """Check that a text has a letter or a digit; decode it as UTF-8 if needed."""
        # In the C locale, Python decodes the command line as ASCII, and represents the
        # bytes of other characters as surrogates. These bytes are decoded as UTF-8.
        with suppress(UnicodeEncodeError):
            value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if not any(map(str.isalnum, value)):
            self.fail("must contain at least one word.", param, ctx)
        return value


class CommaSeparated(click.ParamType):
    """Parameter type of comma-separated values."""

    def convert(self, value, param, ctx):
        """Convert each value with `item_type`, and return a tuple."""
        if isinstance(value, tuple):
            return value
        items = [item.strip() for item in value.split(",") if item.strip()]
        if not items:
            self.fail("must contain at least one value.", param, ctx)
        return tuple(self.item_type.convert(item, param, ctx) for item in items)


class OutputPath(click.Path):
    """Parameter type of an output path, with optional checks of the file extension."""

    def __init__(self, *endings, **options):
        super().__init__(path_type=Path, writable=True, **options)
        self.endings = endings

    def convert(self, value, param, ctx):
        """Expand ``~``, check the extension, and return a Path."""
        path = super().convert(expand_path(value), param, ctx)
        if self.endings and not path.name.endswith(self.endings):
            expected = " or ".join(self.endings)
            self.fail(f"{str(path)!r} must end in {expected}.", param, ctx)
        return path


class Views(CommaSeparated):
    """Parameter type of comma-separated views of a map."""

    name = "views"
    item_type = click.Choice(VIEWS)


corpus_argument = click.argument("corpus")
model_name_option = click.option(
    "--model-name",
    default=MINILM,
    help="minilm, mpnet, or the name or folder of another language model.",
)
atlas_option = click.option(
    "--atlas", default="geometric", help="geometric, difumo, or an atlas file."
)
random_state_option = click.option(
    "--random-state", type=int, default=0, help="Seed of all random numbers."
)


# The default of each of these options depends on the command.
text_field_option = partial(
    click.option,
    "--text-field",
    type=click.Choice(TEXT_FIELDS),
    help="Text that is used for each study.",
)
n_components_option = partial(
    click.option,
    "--n-components",
    type=POSITIVE_INTEGER,
    help="Number of components of the atlas; ignored for an atlas file.",
)
output_option = partial(
    click.option,
    "--output",
    "-o",
    type=OutputPath(file_okay=False),
    help="Output folder.",
)

img_argument = click.argument(
    "img",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=False,
)
peaks_option = click.option(
    "--peak",
    "peaks",
    type=float,
    nargs=3,
    multiple=True,
    metavar="X Y Z",
    help="Coordinates of a peak in mm, in MNI space, in place of an image. The option "
    "can be repeated.",
)
plot_option = click.option(
    "--plot",
    type=OutputPath(".png", ".pdf", ".svg", dir_okay=False),
    help="Output file of a figure of the map (.png, .pdf or .svg).",
)
views_option = click.option(
    "--views",
    type=Views(),
    default=",".join(VIEWS),
    help="Comma-separated views in the figure: slices, glass (brain), surface.",
)


def model_options(command):
    """Add the options --model and --allow-download to a command."""
    command = click.option(
        "--allow-download",
        is_flag=True,
        help="Allow downloads of the language model and the atlas that the model uses.",
    )(command)
    return click.option(
        "--model",
        default="minilm",
        help="minilm (the model included in the package), or a folder written by "
        "neurocontext fit or NeuroContextModel.save.",
    )(command)


def find_query(img, peaks):
    """Return the image or the array of peaks that was passed, and its name."""
    if (img is None) == (not peaks):
        raise click.UsageError("Pass either an image or --peak X Y Z.")
    if img is not None:
        return img, img.name
    return [list(peak) for peak in peaks], f"{len(peaks)} peaks"


def note(text) -> None:
    """Print a line to standard error."""
    click.echo(text, err=True)


def make_console(**options):
    """Return a rich console that does not wrap or highlight text."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, **options)


@contextmanager
def notes_for_warnings():
    """Print each distinct warning as a note; ignore deprecation warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for category in (DeprecationWarning, PendingDeprecationWarning):
            warnings.simplefilter("ignore", category)
        yield
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        note(f"Note: {message}")


def load_with_notes(corpus):
    """Load a corpus and print its description and warnings as notes."""
    from ..datasets import load_corpus

    with notes_for_warnings():
        loaded = load_corpus(corpus)
    note(loaded.description)
    return loaded


def prepare(settings, estimators, check=None):
    """Load a corpus, and compute the embeddings and coefficients of its studies.

    The corpus, the prepared studies and the fitted masker are returned.
    """
    from ..experiments import make_embedder, make_masker, prepare_studies

    loaded = load_with_notes(settings["corpus"])
    text_field = settings["text_field"]
    masker = make_masker(settings["atlas"], settings["n_components"])
    takes_texts = set(estimators) <= set(TEXT_ESTIMATORS)
    embedder = None if takes_texts else make_embedder(settings["model_name"])
    label = "computing coefficients" if takes_texts else "embedding texts"
    with notes_for_warnings(), progress_bar(label) as update:
        # `check` is called with the groups of the studies before texts are embedded,
        # because embedding is slow and `check` may raise an error.
        studies = prepare_studies(
            loaded, text_field, embedder, masker, check=check, on_progress=update
        )
    note(
        f"{len(studies.texts):,} of {len(loaded.peaks):,} studies have a text "
        f"({text_field}) and a peak in the mask. Computing coefficients took "
        f"{studies.seconds['coefficients']:.0f} s, and computing embeddings took "
        f"{studies.seconds['embeddings']:.0f} s."
    )
    return loaded, studies, masker


def save_figure(figure, path) -> Path:
    """Save a figure at 150 dpi and return the path."""
    with atomic_output(path) as temporary, notes_for_warnings():
        figure.savefig(temporary, dpi=150)
    return path


def list_peaks(img, output, **options):
    """Return the peaks of a map; write them to a file if `output` is not None."""
    from ..inference import peak_table

    with notes_for_warnings():
        table = peak_table(img, **options)
    if output:
        write_table(output, table, float_format="%.5g")
        click.echo(f"{output}: {len(table)} peaks")
    return table


def plot_map(img, path, **options):
    """Write a figure of a map."""
    from ..plotting import plot_maps

    click.echo(f"{save_figure(plot_maps(img, **options), path)}: figure of the map")


def load_model(model, allow_download, texts):
    """Load a model, and check that it knows at least one word of each text."""
    if sys.stderr.isatty():
        note("Loading the model …")
    from ..inference import NeuroContextModel

    loaded = NeuroContextModel.from_pretrained(model, allow_download=allow_download)
    known = loaded.has_known_words(texts) if texts else []
    for text, is_known in zip(texts, known, strict=True):
        if not is_known:
            raise ValueError(
                f"The model does not know any word of {text!r}. The predicted map "
                "would be the mean map. Use other words, or a model with a language "
                "model."
            )
    return loaded


def index_corpus(model, corpus):
    """Load a corpus and add its studies to a model as candidates."""
    loaded = load_with_notes(corpus)
    with notes_for_warnings():
        model.index_corpus(loaded)


def print_frame(frame, title):
    """Print a DataFrame as a table without interpreting brackets as rich markup."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title), title_justify="left")
    for name in frame:
        right = frame[name].dtype.kind == "f"
        table.add_column(name, justify="right" if right else "left")
    for row in frame.itertuples(index=False):
        cells = [f"{v:.3g}" if isinstance(v, float) else str(v) for v in row]
        table.add_row(*map(escape, cells))
    make_console().print(table)
