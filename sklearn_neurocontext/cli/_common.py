"""Options, notes and progress bars that the commands share.

Libraries that take long to import are imported inside functions, so that ``--help``
stays quick.
"""

import warnings
from contextlib import contextmanager
from pathlib import Path

import click

# Names that datasets and experiments have, too; importing these would slow --help.
TEXT_FIELDS = ("title", "abstract", "body", "title+abstract")
ESTIMATORS = ("contrastive", "cca", "ridge", "mlp")
TEXT_ESTIMATORS = ("best_text_brain",)
MINILM = "minilm"
CORPUS_HELP = (
    "CORPUS is nimare, neuroquery, neurosynth, neuroquery+neurosynth, or a folder with "
    "the files of pubget, NeuroQuery, Neurosynth or a NiMARE studyset, or with tables "
    "named studies and peaks."
)


class Count(click.IntRange):
    """An integer of at least a minimum."""

    name = "integer"

    def __init__(self, min=1):
        super().__init__(min=min)


class Text(click.ParamType):
    """A text with at least one word."""

    name = "text"

    def convert(self, value, param, ctx):
        """Return the text unchanged."""
        if not value.strip():
            self.fail("must contain at least one word.", param, ctx)
        return value


class OutputPath(click.Path):
    """A file with one of the given endings, or a folder, to write to."""

    def __init__(self, *endings, **options):
        super().__init__(path_type=Path, writable=True, **options)
        self.endings = endings

    def convert(self, value, param, ctx):
        """Return a Path, with a home directory ``~`` expanded."""
        path = super().convert(Path(value).expanduser(), param, ctx)
        if self.endings and not path.name.endswith(self.endings):
            expected = " or ".join(self.endings)
            self.fail(f"{str(path)!r} must end in {expected}.", param, ctx)
        return path


corpus_argument = click.argument("corpus")
model_name_option = click.option(
    "--model-name",
    default=MINILM,
    help="Language model: minilm, or the name or the folder of another one.",
)
atlas_option = click.option(
    "--atlas", default="geometric", help="geometric, difumo, or the file of an atlas."
)
random_state_option = click.option(
    "--random-state", type=int, default=0, help="Seed of all random choices."
)


def text_field_option(default):
    """Return the option for the part of a study's text."""
    return click.option(
        "--text-field",
        type=click.Choice(TEXT_FIELDS),
        default=default,
        help="Part of the study's text.",
    )


def n_components_option(default):
    """Return the option for the number of components."""
    return click.option(
        "--n-components",
        type=Count(),
        default=default,
        help="Number of maps of the atlas; a file has its own.",
    )


def output_option(default):
    """Return the option for the folder of all results."""
    return click.option(
        "--output",
        "-o",
        type=OutputPath(file_okay=False),
        default=default,
        help="Output folder.",
    )


def note(text) -> None:
    """Print a line on the error output, apart from results."""
    click.echo(text, err=True)


def make_console(**options):
    """Return rich's console on the current standard output or error output."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True, **options)


@contextmanager
def progress_bar(label):
    """Show a progress bar; yield a function of steps done, all steps and label."""
    from rich import progress

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=make_console(stderr=True)) as bar:
        task = bar.add_task(label, total=None)

        def advance(n_done, n_total, new_label=None):
            description = new_label or label
            bar.update(task, completed=n_done, total=n_total, description=description)

        yield advance


@contextmanager
def notes_for_warnings():
    """Print warnings as notes, each once, without source lines or deprecations."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for category in (DeprecationWarning, PendingDeprecationWarning):
            warnings.simplefilter("ignore", category)
        yield
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        note(f"Note: {message}")


def prepare(
    corpus, text_field, model_name, atlas, n_components, *, estimators, check=None
):
    """Load a corpus and compute its embeddings and coefficients, with notes.

    `check` receives the groups of the usable studies before texts are embedded.
    """
    from ..datasets import load_corpus
    from ..experiments import make_embedder, make_masker, prepare_studies

    with notes_for_warnings():
        loaded = load_corpus(corpus)
    note(loaded.description)
    masker = make_masker(atlas, n_components)
    takes_texts = set(estimators) <= set(TEXT_ESTIMATORS)
    embedder = None if takes_texts else make_embedder(model_name)
    label = "computing coefficients" if takes_texts else "embedding texts"
    with notes_for_warnings(), progress_bar(label) as advance:
        studies = prepare_studies(
            loaded, text_field, embedder, masker, check=check, on_progress=advance
        )
    note(
        f"{len(studies.texts):,} of {len(loaded.peaks):,} studies have a text "
        f"({text_field}) and a peak in the mask; coefficients took "
        f"{studies.seconds['coefficients']:.0f} s, embeddings "
        f"{studies.seconds['embeddings']:.0f} s."
    )
    return loaded, studies, masker


def save_figure(figure, path) -> Path:
    """Save a figure at 150 dpi."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    return path
