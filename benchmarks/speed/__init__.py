"""Time and memory of the masker, the embedder and the first map."""
