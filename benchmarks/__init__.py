"""Scripts that produce the figures of docs/results.md; run from the repository."""
