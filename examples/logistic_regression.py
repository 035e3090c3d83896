"""Logistic regression: the gradient that a lecturer writes, from the graph, and what it learns.

Run it: python examples/logistic_regression.py
"""

import numpy as np

import graphc as gx
from graphc.view.show import formula

# Two clouds of points: 200 around (-1, -1) that are 0, and 200 around (1, 1) that are 1.
random = np.random.Generator(np.random.PCG64(0))
labels = np.repeat(np.float32([0, 1]), 200)
points = random.normal(size=(400, 2)).astype(np.float32) + (2 * labels - 1)[:, None]

X = gx.input("X", ("n", 2))
t = gx.input("t", ("n",))
w = gx.param("w", np.zeros(2, np.float32))
b = gx.param("b", np.float32(0))

# The cross-entropy takes the score, not its sigmoid: so it is exact also where a sigmoid is 0 or 1.
score = X @ w + b
loss = gx.mean(gx.nn.sigmoid_cross_entropy(score, t))

# Of the sigmoid and the logarithm in the loss, their difference remains: a - t, with a = σ(Xw + b).
dw, db = (gx.simplify(derivative) for derivative in gx.grad(loss, [w, b]))
print("dw =", formula(dw))
print("db =", formula(db))

# Newton would use the second derivative; it is a graph like any other.
d2b = gx.simplify(gx.grad(db, b))
print("d²b =", formula(d2b))

correct = gx.mean(gx.equal(score > 0, t > 0.5))
step = gx.compile([X, t], [loss, correct], updates={w: w - 1.0 * dw, b: b - 1.0 * db})
losses, accuracies = step.loop((points, labels), batch_size=400, epochs=100)
print(f"\nloss {losses[0]:.3f} -> {losses[-1]:.3f}, accuracy {accuracies[-1]:.1%}")
print("boundary:", f"{w.value[0]:.2f} x + {w.value[1]:.2f} y + {b.value:.2f} = 0")
