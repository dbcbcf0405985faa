"""Fit a nine-layer sparse autoencoder on images, with the GPU out of sight.

    import deeplearning
    model = deeplearning.SparseAutoencoder(layers=9).fit(images)
    model.figure()

``images`` is an array, a memory map, or an iterable of batches. Words: the *code* is the middle hidden layer; *unexplained*
is the mean squared error of the reconstruction as a share of the images' variance: 1 for an image of means, 0 for a copy.
"""

from deeplearning.autoencoder import SparseAutoencoder

__all__ = ["SparseAutoencoder"]
