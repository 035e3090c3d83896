"""XOR: what a linear model cannot learn, a known network computes, and a network learns.

After I. Goodfellow, Y. Bengio, A. Courville: Deep Learning, section 6.1.
Run it: python examples/xor.py
"""

import numpy as np

import graphc as gx

points = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
xor = np.array([0, 1, 1, 0], np.float32)

x = gx.input("x", ("n", 2))
t = gx.input("t", ("n",))

# --- A linear model. The best that it can do is to say 0.5 to everything.

slope = gx.param("slope", [0.3, -0.2])
offset = gx.param("offset", 0.0)
linear = x @ slope + offset
loss = gx.mean(gx.nn.squared_error(linear, t))
slope_update, offset_update = (p - 0.5 * gx.grad(loss, p) for p in (slope, offset))
step = gx.compile([x, t], loss, updates={slope: slope_update, offset: offset_update})
step.loop((points, xor), batch_size=4, epochs=1000)
answers = gx.evaluate(linear, {x: points})
print("linear: slope", slope.value.round(3) + 0, "offset", offset.value.round(3))
print("  answers", answers.round(3))

# --- The known solution: two hidden units bend the plane, so that a line can part it.

W = gx.param("W", np.array([[1, 1], [1, 1]], np.float32))
c = gx.param("c", np.array([0, -1], np.float32))
w = gx.param("w", np.array([1, -2], np.float32))
b = gx.param("b", np.float32(0))
product = x @ W
shifted = product + c
bent = gx.relu(shifted)
known = bent @ w + b
stages = {"x W": product, "x W + c": shifted, "h = relu(x W + c)": bent, "h w + b": known}
print("\nknown:")
for name, stage in stages.items():
    print(f"  {name:<18}", gx.evaluate(stage, {x: points}).tolist())

# --- Learned from scratch: random weights, and the gradient does the rest.

hidden = gx.nn.Dense(2, 8, activation="tanh", seed=0, name="hidden")
output = gx.nn.Dense(8, 1, seed=1, name="output")
score = output(hidden(x))[:, 0]
trainer = gx.train.Trainer(
    gx.mean(gx.nn.sigmoid_cross_entropy(score, t)), inputs=[x, t], optimizer=gx.train.adam(0.05)
)
history = trainer.fit((points, xor), batch_size=4, epochs=300, progress=False)
learned = gx.evaluate(gx.sigmoid(score), {x: points})
print(f"\nlearned: loss {history['loss'][0]:.3f} -> {history['loss'][-1]:.5f}")
print("  answers", learned.round(3))
