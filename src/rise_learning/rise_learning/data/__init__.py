"""Data: bags -> episodes on the contract's grids -> batches; normalisation and cache."""
