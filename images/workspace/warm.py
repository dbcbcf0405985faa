"""Imports what notebooks and runs import, so that its bytecode is in the image and no start compiles it again.

Bytecode of everything would take minutes of the build and 300 MB.
"""

import importlib

START = """
IPython.core.interactiveshell ipykernel.kernelapp ipykernel.ipkernel matplotlib_inline.backend_inline
jupyterlab.labhubapp jupyterhub.singleuser jupyterhub.singleuser.extension jupyter_server.serverapp
jupyter_server_terminals jupyter_lsp notebook_shim nbconvert.exporters ipywidgets comm jedi
numpy.random numpy.fft scipy.linalg scipy.optimize scipy.stats scipy.sparse scipy.signal scipy.ndimage scipy.spatial
sklearn.cluster sklearn.datasets sklearn.decomposition sklearn.ensemble sklearn.linear_model sklearn.metrics
sklearn.model_selection sklearn.neighbors sklearn.neural_network sklearn.pipeline sklearn.preprocessing sklearn.svm
sklearn.tree sklearn.manifold sklearn.naive_bayes skimage.io skimage.color skimage.data skimage.feature skimage.filters
skimage.measure skimage.morphology skimage.transform skimage.segmentation skimage.util matplotlib.pyplot
matplotlib.backends.backend_agg matplotlib.animation
torch torch.nn torch.nn.functional torch.optim torch.optim.lr_scheduler torch.utils.data torch.amp torch._dynamo
"""


def main() -> None:
    """Import each; one that is missing fails the build."""
    for name in START.split():
        importlib.import_module(name)


if __name__ == "__main__":
    main()
