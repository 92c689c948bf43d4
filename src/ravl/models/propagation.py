"""Label propagation: labels for unlabelled rows, from their neighbours in the memory.

Diffusion over the graph of nearest neighbours (Zhou et al. 2004, "Learning with Local and Global
Consistency"; for pictures: Iscen et al. 2019, "Label Propagation for Deep Semi-supervised
Learning"). It helps if a few labelled pictures lie among many unlabelled ones.
"""

from __future__ import annotations

import numpy as np

from ravl.encoders.base import Array
from ravl.store.top_k import top_k

NEAREST = 10  # edges of each row
SHARPNESS = 3  # power of the similarity in an edge's weight
REACH = 0.8  # share of a row's answer that comes from its neighbours
STEPS = 20  # of the diffusion; what is left after them is below 0.8 ** 20, or 1 %


def propagate(keys: Array, labels: Array) -> tuple[Array, Array]:
    """The labels of every row, and their weights.

    Args:
        keys: of all rows, (N, d), L2-normalised.
        labels: (N, C), rows that sum to 1; zeros for rows without a label.

    Returns:
        Shares (N, C), as they were where a row had said something, and worth (N,): 1 for these,
        and for others 1 minus the entropy of their shares over that of no knowledge.
    """
    known = labels.sum(1) > 0
    edges = _edges(keys)
    # Labels start with equal mass, or the frequent ones would flood the graph.
    start = labels / np.maximum(labels.sum(0), 1.0)
    state = start.copy()
    for _ in range(STEPS):
        state = REACH * (edges @ state) + (1 - REACH) * start
    total = state.sum(1, keepdims=True)
    shares = np.where(total > 1e-12, state / np.maximum(total, 1e-12), 0).astype(np.float32)
    shares[known] = labels[known]
    most = np.log(max(labels.shape[1], 2))
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(1) / most
    worth = np.where(known, 1.0, np.clip(1 - entropy, 0, 1)) * (shares.sum(1) > 0)
    return shares, worth.astype(np.float32)


def _edges(keys: Array):  # type: ignore[no-untyped-def]  # a scipy.sparse.csr_array
    """The symmetrically normalised graph, (N, N)."""
    from scipy.sparse import coo_array, diags_array

    count = len(keys)
    similarity, neighbours = top_k(keys, keys, min(NEAREST + 1, count))
    rows = np.repeat(np.arange(count), neighbours.shape[1])
    weights = np.maximum(similarity, 0).ravel().astype(np.float64) ** SHARPNESS
    weights[rows == neighbours.ravel()] = 0  # no row is its own neighbour
    graph = coo_array((weights, (rows, neighbours.ravel())), shape=(count, count)).tocsr()
    graph = graph.maximum(graph.T)
    scale = diags_array(1 / np.sqrt(np.maximum(graph.sum(1), 1e-9)))
    return scale @ graph @ scale
