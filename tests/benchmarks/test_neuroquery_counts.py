"""Counts of NeuroQuery's terms in corpora and in texts."""

import re

import numpy as np
import pytest

from benchmarks.encoding.neuroquery_maps import count_terms, term_counts


def test_terms_are_counted_in_the_columns_of_the_corpus():
    vocabulary = ["pain", "memory", "working memory", "faces", "fear"]
    texts = ["Working memory, memory and faces", "fear of pain and of fear"]
    counts = count_terms(texts, vocabulary, np.array([4, 1, 2, 3]))
    assert counts.dtype == np.float32
    np.testing.assert_array_equal(counts.toarray(), [[0, 1, 1, 1, 0], [0, 0, 0, 0, 2]])


def test_corpus_without_counts_raises():
    with pytest.raises(ValueError, match=re.escape("must have word counts")):
        term_counts({})
