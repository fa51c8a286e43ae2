"""Checks of scikit-learn that an estimator is expected to fail, and why."""

EXPECTED_FAILURES = {
    "CCABaseline": {},
    "ContrastiveTextBrain": {},
    "KernelCCA": {},
    "MLPBaseline": {},
    "RidgeBaseline": {},
    "TextBrainEnsemble": {},
}
