"""Softmax regression: ten scores for each digit, one weight for each pixel and score.

Run it: python examples/softmax_regression.py
"""

import numpy as np

import graphc as gx
from graphc.view.show import formula

images, labels = gx.train.load_digits()
data = gx.train.split(images, labels, held_out=0.2, seed=0)

X = gx.input("X", ("n", 64))
t = gx.input("t", ("n",), dtype="int64")
W = gx.param("W", np.zeros((64, 10), np.float32))
b = gx.param("b", np.zeros(10, np.float32))

scores = X @ W + b
loss = gx.mean(gx.nn.softmax_cross_entropy(scores, t))
accuracy = gx.mean(gx.equal(gx.argmax(scores, axis=1), t))

# As in logistic regression: what the model says, minus what is true. onehot(t) is 1 at the label.
dW, db = (gx.simplify(derivative) for derivative in gx.grad(loss, [W, b]))
print("dW =", formula(dW))
print("db =", formula(db))

# The updates are part of the graph: one native step computes the loss and changes W and b.
step = gx.compile([X, t], loss, updates={W: W - 0.5 * dW, b: b - 0.5 * db})
losses = step.loop((data.train_images, data.train_labels), batch_size=32, epochs=20, seed=0)
print(f"\nloss {losses[0]:.3f} -> {losses[-45:].mean():.3f} in {len(losses)} steps")

measure = gx.compile([X, t], accuracy)
held_out = float(measure(data.test_images, data.test_labels))
print(f"accuracy on {len(data.test_labels)} digits held out: {held_out:.1%}")
