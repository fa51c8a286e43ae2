"""Base class of estimators that predict maps with a single neural network."""

from ._base import TextBrainEstimator, draw_seed


class NetworkEstimator(TextBrainEstimator):
    """Base class of estimators that predict maps with a single neural network.

    The network takes embeddings as input. A subclass has the parameters `max_epochs`,
    `batch_size`, `lr`, `random_state`, `n_validation`, `patience` and `device`. It
    defines the methods `fit` and `_predict_standardized` (see `TextBrainEstimator`). It
    also defines the method `_empty_network(attribute, weights)`, which returns an
    untrained network for an attribute of the estimator. The weights of this network
    must have the same shapes as `weights`.
    """

    def _fit_network(
        self,
        build,
        X,
        target,
        *,
        criterion,
        monitor,
        optimizer,
        weight_decay,
        verbose=False,
    ):
        """Train the network that ``build()`` returns, and store it in `module_`.

        The attributes `best_epoch_`, `n_epochs_` and `history_` are also set. X
        contains the embeddings. The other parameters are described in `train_net`.
        """
        from ._net import seeded, split_validation, train_net

        seed = draw_seed(self.random_state)
        with seeded(seed, self.device):
            self.module_ = build()
            record = train_net(
                self.module_,
                criterion,
                {"text": X},
                target,
                monitor=monitor,
                rows=split_validation(len(X), self.n_validation, seed),
                max_epochs=self.max_epochs,
                batch_size=self.batch_size,
                patience=self.patience,
                optimizer=optimizer,
                lr=self.lr,
                weight_decay=weight_decay,
                device=self.device,
                verbose=verbose,
            )
        self.best_epoch_ = record.best_epoch
        self.n_epochs_ = record.n_epochs
        self.history_ = record.history

    def _forward(self, function, X):
        """Compute the output of the network or of one of its methods (`function`)."""
        from ._net import forward_rows

        return forward_rows(function, X, self.device)
