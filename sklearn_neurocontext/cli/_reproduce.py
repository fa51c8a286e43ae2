"""Command ``reproduce``, which computes tables like those of the paper."""

import os
from pathlib import Path

import click
from click.core import ParameterSource

from .._utils.progress import progress_bar
from ._common import (
    CORPUS_HELP,
    POSITIVE_INTEGER,
    CommaSeparated,
    OutputPath,
    atlas_option,
    load_with_notes,
    n_components_option,
    note,
    notes_for_warnings,
    output_option,
    random_state_option,
)

# These values are also defined in the subpackage experiments. They are repeated here,
# because importing this subpackage would slow down --help.
_TEXT_FIELDS = ("title", "abstract", "body", "counts")
_FIGURE3 = "figure3"
# Options that figure3 does not have, and options that only figure3 has.
_ONLY_TABLES = (
    "abstracts",
    "bodies",
    "text_fields",
    "rows",
    "model_names",
    "n_splits",
    "n_candidates",
)
_ONLY_FIGURE3 = ("maps",)
_CORPUS = "neuroquery+neurosynth"
# Files with texts. Their paths are relative to the folder in the environment variable
# NEUROCONTEXT_DATA.
_FILES = {
    "abstract": "abstracts/abstracts.tsv.gz",
    "body": "fulltext/fulltext.jsonl.xz",
}


class _TextFields(CommaSeparated):
    """Parameter type of comma-separated text fields."""

    name = "fields"
    item_type = click.Choice(_TEXT_FIELDS)


class _Names(CommaSeparated):
    """Parameter type of comma-separated names."""

    name = "names"
    item_type = click.STRING


@click.command(epilog=CORPUS_HELP)
@click.argument("table", required=False)
@click.option("--list", "list_tables", is_flag=True, help="List the tables.")
@click.option("--corpus", default=_CORPUS, help="Corpus; see below.")
@click.option(
    "--abstracts",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with abstracts by PMID, which are added to the corpus.",
)
@click.option(
    "--bodies",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with bodies by PMID, which are added to the corpus.",
)
@click.option(
    "--text-fields",
    type=_TextFields(),
    show_default="fields of the table for which there are texts",
    help="Comma-separated text fields: title, abstract, body or counts.",
)
@click.option(
    "--rows",
    multiple=True,
    help="Name of a row to compute; repeat the option for several rows.",
    show_default="all rows of the table, except for Text2Brain in figure2",
)
@click.option(
    "--model-names",
    type=_Names(),
    show_default="minilm,mpnet for table2 and titles, otherwise minilm",
    help="Comma-separated language models: minilm, mpnet, or names or folders of "
    "others. All tables but table2 and titles use the first.",
)
@click.option(
    "--maps",
    default="ibc",
    help="Maps of figure3: ibc (downloaded), or a folder whose subfolders contain maps "
    "and descriptions.tsv.",
)
@atlas_option
@n_components_option(default=512)
@click.option("--n-splits", type=POSITIVE_INTEGER, default=15, help="Number of splits.")
@click.option(
    "--n-candidates",
    type=POSITIVE_INTEGER,
    default=1000,
    help="Number of test studies per split. A corpus with too few studies is divided "
    "into folds instead.",
)
@click.option(
    "--cache",
    type=OutputPath(dir_okay=False),
    show_default="embeddings.sqlite in the cache folder",
    help="Embedding store (SQLite file); must be on a local disk.",
)
@output_option(default="reproduce_output")
@random_state_option
def reproduce(table, list_tables, corpus, abstracts, bodies, maps, output, **options):
    """Compute a table like one of the NeuroConText paper.

    The output folder contains a subfolder with the table, published scores, figures and
    records. To resume an interrupted run, repeat the command. If the environment
    variable NEUROCONTEXT_DATA names a folder with abstracts/abstracts.tsv.gz or
    fulltext/fulltext.jsonl.xz, the texts in these files are added to the default
    corpus.

    \b
    Examples:
      neurocontext reproduce --list
      neurocontext reproduce table1 --corpus nimare --n-splits 2
      neurocontext reproduce table1 --abstracts abstracts.tsv --bodies bodies.jsonl
    """
    from ..experiments import describe_table, list_paper_tables

    if list_tables:
        for name in list_paper_tables():
            click.echo(f"{name:<13}{describe_table(name)}")
        click.echo(f"{_FIGURE3:<13}Compare maps predicted from descriptions.")
        return
    if table is None:
        raise click.UsageError("Pass the name of a table, or --list.")
    known = [*list_paper_tables(), _FIGURE3]
    if table not in known:
        raise click.BadParameter(
            f"must be one of {', '.join(known)}; got {table!r}.", param_hint="TABLE"
        )
    _refuse_options(table, _ONLY_TABLES if table == _FIGURE3 else _ONLY_FIGURE3)
    if table == _FIGURE3:
        _compare_maps(corpus, maps, output / table, options)
        return
    _compute(table, corpus, {"abstract": abstracts, "body": bodies}, output, options)


def _refuse_options(table, names):
    """Raise a usage error if one of these options was passed on the command line."""
    context = click.get_current_context()
    for name in names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{table} does not have the option {option}.")


def _compute(table, corpus, files, output, options):
    """Load the corpus, compute the table, write it and print it."""
    from ..datasets import add_texts
    from ..experiments import check_rows
    from ..experiments import reproduce as run

    options["rows"] = options["rows"] or None
    check_rows(table, options["rows"], options["model_names"])
    loaded = load_with_notes(corpus)
    for text_field, path in files.items():
        path = path or (_find_file(text_field) if corpus == _CORPUS else None)
        if path is not None:
            known = loaded.description
            loaded = add_texts(loaded, text_field, path)
            note(f"{path}: {loaded.description.removeprefix(known).strip()}")
    with notes_for_warnings(), progress_bar("preparing") as update:
        result = run(table, loaded, output=output, on_progress=update, **options)
    folder = output / table
    result.write(folder)
    click.echo(result.to_markdown())
    click.echo(f"Tables, records and figures are in {folder}")


def _compare_maps(corpus, maps, folder, options):
    """Predict maps from descriptions, write their scores and print them."""
    from ..experiments import compare_maps

    loaded = load_with_notes(corpus)
    names = ("atlas", "n_components", "random_state")
    settings = {name: options[name] for name in names}
    settings["cache"] = str(options["cache"] or "memory")
    with notes_for_warnings(), progress_bar("fitting") as update:
        result = compare_maps(loaded, maps, on_progress=update, **settings)
    result.write(folder)
    click.echo(result.to_markdown())
    click.echo(f"Table, scores and figure are in {folder}")


def _find_file(text_field):
    """Return the path of the file with texts in NEUROCONTEXT_DATA, or None."""
    folder = os.environ.get("NEUROCONTEXT_DATA")
    path = Path(folder or "", _FILES[text_field])
    return path if folder and path.is_file() else None
