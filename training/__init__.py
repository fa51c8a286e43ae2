"""Train and measure the model that comes with the package."""
