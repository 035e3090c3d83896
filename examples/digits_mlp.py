"""A multilayer perceptron that reads handwritten digits, from layers, with a trainer.

Run it: python examples/digits_mlp.py
"""

import numpy as np

import graphc as gx

images, labels = gx.train.load_digits()
data = gx.train.split(images, labels, held_out=0.2, seed=0)
learned = (data.train_images, data.train_labels)
held_out = (data.test_images, data.test_labels)

# A layer is a function from a node to a node that declares its weights: no computation yet.
model = gx.nn.Sequential(
    gx.nn.Dense(64, 64, activation="relu", seed=1, name="hidden1"),
    gx.nn.Dense(64, 32, activation="relu", seed=2, name="hidden2"),
    gx.nn.Dense(32, 10, seed=3, name="scores"),
)
x = gx.input("x", ("n", 64))
t = gx.input("t", ("n",), dtype="int64")
scores = model(x)
loss = gx.mean(gx.nn.softmax_cross_entropy(scores, t))
accuracy = gx.mean(gx.equal(gx.argmax(scores, axis=1), t))

trainer = gx.train.Trainer(
    loss, inputs=[x, t], optimizer=gx.train.adam(0.005), metrics={"accuracy": accuracy}
)
history = trainer.fit(learned, batch_size=32, epochs=20, validation=held_out, progress=False)
print(history)

# The trained graph is as good as any: compile what it says about an image, at any batch size.
read = gx.compile(x, gx.argmax(scores, axis=1))
for image, label in zip(data.test_images[:2], data.test_labels[:2], strict=True):
    for row in image.reshape(8, 8):
        print("".join(" ░▒▓█"[round(4 * float(pixel))] * 2 for pixel in row))
    print("is read as", read(image[None])[0], "and is", label)

answers = read(data.test_images)
print(f"{np.mean(answers == data.test_labels):.1%} of {len(answers)} digits held out are right")
