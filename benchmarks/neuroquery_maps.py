"""NeuroQuery's own model, trained on the studies of ``bench_encoding.py``."""

import numpy as np
from neuroquery.smoothed_regression import SmoothedRegression
from neuroquery.tokenization import TextVectorizer
from sklearn.preprocessing import normalize

from sklearn_neurocontext.evaluation import density_map

# Terms of fewer studies are left out, as NeuroQuery's published model does.
MIN_STUDIES = 100
_PARTS = ("title", "keywords", "abstract")


def predict_maps(task, output) -> np.ndarray:
    """Train NeuroQuery on word counts and densities; give its maps of the topics.

    The fitted model is kept in a folder, from which a later call goes on.
    """
    if "term_counts" not in task.corpus:
        raise ValueError("This corpus has no word counts: use --corpus neuroquery.")
    counts = sum(task.corpus.term_counts[part] for part in _PARTS).tocsr()[task.rows]
    studies_of_term = np.asarray((counts > 0).sum(axis=0)).ravel()
    terms = np.flatnonzero(studies_of_term >= MIN_STUDIES)
    vocabulary = [task.corpus.vocabulary[term] for term in terms]
    frequencies = studies_of_term[terms] / len(task.rows)
    vectorizer = TextVectorizer.from_vocabulary(
        vocabulary, frequencies, add_unigrams=False
    ).fit()
    idf = -np.log(frequencies) + 1
    tfidf = normalize(counts[:, terms].multiply(idf).tocsr())
    folder = output / "neuroquery_model"
    if folder.is_dir():
        model = SmoothedRegression.from_data_dir(folder)
    else:
        mask_img = task.masker.mask_img_
        maps = np.stack(
            [density_map(task.corpus.peaks[row], mask_img) for row in task.rows]
        ).astype(np.float32)
        print(f"NeuroQuery: {len(terms):,} terms, {len(maps):,} studies", flush=True)
        model = SmoothedRegression().fit(tfidf, maps)
        model.to_data_dir(folder)
    queries = normalize(vectorizer.transform(task.topics["description"].tolist()))
    model.regression_.intercept_ = 0.0
    return np.asarray(model.transform_to_brain_maps(queries))
