"""What the estimators with nets share; torch loads when they are fitted."""

import numpy as np

from .._utils.validation import check_random_state


class NetEstimatorMixin:
    """Training and forward passes with the parameters of the estimator."""

    def _draw_seed(self):
        return check_random_state(self.random_state).randint(np.iinfo(np.int32).max)

    def _train(self, module, criterion, inputs, target, **settings):
        from ._net import train_net

        return train_net(
            module,
            criterion,
            inputs,
            target,
            max_epochs=self.max_epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            lr=self.lr,
            device=self.device,
            **settings,
        )

    def _record(self, record):
        self.best_epoch_ = record.best_epoch
        self.n_epochs_ = record.n_epochs
        self.history_ = record.history

    def _forward(self, function, array):
        from ._net import forward_rows

        return forward_rows(function, array, self.device)
