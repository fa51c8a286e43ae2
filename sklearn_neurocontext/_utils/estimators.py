"""Models inside Pipelines and searches."""

from sklearn.pipeline import Pipeline


def innermost_model(estimator):
    """Return the model at the end of Pipelines and inside searches.

    For a search that is not fitted, it is the model to be refitted, if there is one.
    """
    if isinstance(estimator, Pipeline):
        return innermost_model(estimator.steps[-1][1])
    if hasattr(estimator, "best_estimator_"):
        return innermost_model(estimator.best_estimator_)
    if getattr(estimator, "refit", False) and hasattr(estimator, "estimator"):
        return innermost_model(estimator.estimator)
    return estimator
