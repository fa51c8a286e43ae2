"""Long runs that are killed, and saved models that are corrupted."""
