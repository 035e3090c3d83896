"""A weight that is used twice: in the prediction, and in the penalty for being large.

W reaches the loss by two paths. Where paths meet, gradients add: Xᵀ(XW - y)/n comes back from the
prediction, 2λW from the penalty. Run it: python examples/weight_decay.py
"""

import numpy as np

import graphc as gx
from graphc.view.show import formula

X, y = gx.input("X", ("n", 3)), gx.input("y", ("n",))
W = gx.param("W", np.float32([1, -2, 3]))
strength = gx.input("λ")

prediction_loss = gx.mean(gx.nn.squared_error(X @ W, y))
penalty = strength * gx.sum(W * W)
loss = prediction_loss + penalty

# Each path alone, and both. None of the three is written by hand.
by_prediction, by_penalty, both = (
    gx.simplify(gx.grad(part, W)) for part in (prediction_loss, penalty, loss)
)
print("through the prediction:", formula(by_prediction))
print("through the penalty:   ", formula(by_penalty))
print("together:              ", formula(both))

# With numbers: W has two consumers, and its gradient is the sum of what they pass back.
point = {X: [[1, 0, 2], [0, 1, -1]], y: [5, -3], strength: 0.1}
names = {"error": prediction_loss, "penalty": penalty, "loss": loss}
print("", gx.backprop_table(loss, point, [W], names=names), sep="\n")
values = [gx.evaluate(node, point) for node in (by_prediction, by_penalty, both)]
print("\n{} + {} = {}".format(*(value.round(3) for value in values)))
