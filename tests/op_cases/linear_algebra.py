"""Cases of the group: linear algebra. Built so that neither the signs of eigenvectors and singular
vectors nor an unsymmetric step of a difference matters."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

import graphc as gx
from graphc.ir.node import Node
from tests.op_cases.case import Case, anywhere, well_conditioned

_STACK = (2, 3, 3)


def _gram(x: Any) -> Any:
    """Symmetric positive definite matrices."""
    turned = x.mT if isinstance(x, np.ndarray) else gx.swapaxes(x, -1, -2)
    return x @ turned + 2 * np.eye(x.shape[-2])


def _symmetric(x: Any) -> Any:
    return x + (x.mT if isinstance(x, np.ndarray) else gx.swapaxes(x, -1, -2))


def _of_eigenvalues(x: Node) -> Node:
    """log(1 + exp(.)) of a symmetric matrix, by its eigenvalues."""
    values, vectors = gx.eigh(_symmetric(x))
    return (vectors * gx.softplus(values)[:, None, :]) @ gx.swapaxes(vectors, -1, -2)


def _of_eigenvalues_in_numpy(x: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(_symmetric(x))
    return np.asarray((vectors * np.logaddexp(0, values)[:, None, :]) @ vectors.mT)


def _of_singular_values(x: Node) -> Node:
    """Each singular value replaced by its logarithm."""
    u, s, vh = gx.svd(x)
    return (u * gx.log(s)[:, None, :]) @ vh


def _of_singular_values_in_numpy(x: np.ndarray) -> np.ndarray:
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    return np.asarray((u * np.log(s)[:, None, :]) @ vh)


def _both_of_qr(x: Node) -> Node:
    q, r = gx.qr(x)
    return gx.concat([q, r], axis=-2)


CASES: dict[str, Case] = {
    "triangular_solve": Case(
        lambda a, b: gx.linalg.triangular_solve(a, b, lower=False, transpose=True),
        (_STACK, (2, 3, 2)),
        lambda a, b: np.linalg.solve(np.triu(a).mT, b), (well_conditioned, anywhere)),
    "inv": Case(gx.inv, (_STACK,), np.linalg.inv, (well_conditioned,)),
    "det": Case(gx.det, (_STACK,), np.linalg.det, (well_conditioned,)),
    "cholesky": Case(lambda x: gx.cholesky(_gram(x)), (_STACK,),
        lambda x: np.linalg.cholesky(_gram(x))),
    "eigh": Case(_of_eigenvalues, (_STACK,), _of_eigenvalues_in_numpy),
    "qr": Case(_both_of_qr, ((2, 4, 3),),
        lambda x: np.concatenate(np.linalg.qr(x), axis=-2)),
    "svd": Case(_of_singular_values, ((2, 4, 3),), _of_singular_values_in_numpy),
    "expm": Case(gx.expm, (_STACK,), linalg.expm),
    "pinv": Case(gx.linalg.pinv, ((2, 4, 3),), np.linalg.pinv),
}  # fmt: skip
