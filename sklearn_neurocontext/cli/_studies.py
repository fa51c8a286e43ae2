"""Command ``studies``, which finds the studies that match a text, a map or peaks."""

from pathlib import Path

import click

from .._utils.files import atomic_output, write_table
from .._utils.packages import import_optional
from ._common import (
    CORPUS_HELP,
    POSITIVE_INTEGER,
    OutputPath,
    Text,
    find_query,
    load_model,
    load_with_notes,
    model_options,
    note,
    notes_for_warnings,
    peaks_option,
    print_frame,
)


@click.command()
@click.argument("text", type=Text(), required=False)
@click.option(
    "--img",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="NIfTI file of a map or a mask in MNI space, in place of TEXT.",
)
@peaks_option
@click.option(
    "--corpus", required=True, help=CORPUS_HELP.replace("CORPUS is", "One of")
)
@click.option(
    "-k", type=POSITIVE_INTEGER, default=50, help="Number of studies to select."
)
@click.option(
    "--output",
    "-o",
    type=OutputPath(dir_okay=False),
    help="Output file of the table of studies (.csv).",
)
@click.option(
    "--sleuth",
    type=OutputPath(".txt", dir_okay=False),
    help="Output file of the peaks for Sleuth, GingerALE and NiMARE (.txt).",
)
@click.option(
    "--studyset",
    type=OutputPath(".json", dir_okay=False),
    help="Output file of the studies as a NiMARE studyset (.json).",
)
@click.option(
    "--meta-analysis",
    type=click.Choice(["ale", "mkda"]),
    help="Meta-analysis of the peaks of the studies. NiMARE must be installed.",
)
@click.option(
    "--output-img",
    type=OutputPath(".nii", ".nii.gz", dir_okay=False),
    help="Output file of the z map of the meta-analysis (.nii or .nii.gz).",
)
@click.option(
    "--default-n-subjects",
    type=POSITIVE_INTEGER,
    default=20,
    help="Number of subjects of studies for which it is unknown.",
)
@model_options
def studies(
    text,
    img,
    peaks,
    corpus,
    k,
    output,
    sleuth,
    studyset,
    meta_analysis,
    output_img,
    default_n_subjects,
    model,
    allow_download,
):
    """Find the studies that match a text, a map or peaks best.

    TEXT is a word, a sentence, a title or an abstract. The peaks of the studies can be
    written to files for a coordinate-based meta-analysis. This command can also run
    the meta-analysis.

    \b
    Examples:
      neurocontext studies "reading aloud" --corpus neuroquery
      neurocontext studies "reading aloud" --corpus neuroquery -k 50 --sleuth peaks.txt
      neurocontext studies --img map.nii.gz --corpus neuroquery --studyset studies.json
      neurocontext studies "reading aloud" --corpus neuroquery --meta-analysis ale \\
        --output-img ale.nii.gz
    """
    if (text is None) == (img is None and not peaks):
        raise click.UsageError("Pass one of TEXT, --img and --peak.")
    if (meta_analysis is None) != (output_img is None):
        raise click.UsageError(
            "--meta-analysis and --output-img must be used together."
        )
    query = None if text else find_query(img, peaks)[0]
    if meta_analysis:
        import_optional("nimare", extra="demo")
    loaded = load_model(model, allow_download, [text] if text else [])
    all_studies = load_with_notes(corpus)
    with notes_for_warnings():
        loaded.index_corpus(all_studies)
        found = loaded.similar_documents(text, img=query, k=k)
    if output:
        write_table(output, found, float_format="%.5g")
        click.echo(f"{output}: the {len(found)} best studies")
    if sleuth or studyset or meta_analysis:
        from ..datasets import select_studies

        selected = select_studies(all_studies, found["study_id"])
        _note_unknown_subjects(selected, default_n_subjects)
        _write_peaks(selected, sleuth, studyset, default_n_subjects)
        if meta_analysis:
            _write_meta_analysis(
                selected, meta_analysis, output_img, default_n_subjects
            )
    elif not output:
        print_frame(found[["study_id", "year", "similarity", "title"]], "Best studies")


def _note_unknown_subjects(corpus, default_n_subjects):
    """Print in how many studies the number of subjects is unknown."""
    n_studies = len(corpus.peaks)
    known = corpus.get("n_subjects")
    n_unknown = n_studies if known is None else int(known.isna().sum())
    if n_unknown:
        note(
            f"Note: the number of subjects is unknown in {n_unknown} of {n_studies} "
            f"studies; {default_n_subjects} subjects are assumed "
            "(--default-n-subjects)."
        )


def _write_peaks(corpus, sleuth, studyset, default_n_subjects):
    """Write the peaks of studies to a Sleuth file, to a NiMARE studyset, or to both."""
    from sklearn.utils import Bunch

    from ..datasets import write_nimare_studyset, write_sleuth

    options = {"default_n_subjects": default_n_subjects}
    n_peaks = sum(map(len, corpus.peaks))
    number = f"{n_peaks:,} peaks of {len(corpus.peaks)} studies"
    if sleuth:
        # NiMARE merges experiments with the same name. The name of an experiment is
        # therefore the id of the study, followed by its title.
        table = corpus.studies
        table = table.assign(title=table["study_id"] + ": " + table["title"])
        write_sleuth(Bunch(**{**corpus, "studies": table}), sleuth, **options)
        click.echo(f"{sleuth}: {number}")
    if studyset:
        write_nimare_studyset(corpus, studyset, **options)
        click.echo(f"{studyset}: {number}")


def _write_meta_analysis(corpus, meta_analysis, output_img, default_n_subjects):
    """Run a meta-analysis of studies with NiMARE, and write its z map."""
    from ..inference import run_meta_analysis

    note(f"Running NiMARE's {meta_analysis.upper()} …")
    maps = run_meta_analysis(
        corpus, meta_analysis, default_n_subjects=default_n_subjects
    )
    with atomic_output(output_img) as temporary:
        maps["z"].to_filename(temporary)
    click.echo(
        f"{output_img}: z map of {meta_analysis.upper()}, not corrected for multiple "
        "comparisons"
    )
