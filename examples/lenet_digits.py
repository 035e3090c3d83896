"""A convolutional network after LeNet reads handwritten digits.

Run it: python examples/lenet_digits.py
With the four files of MNIST in a folder: python examples/lenet_digits.py FOLDER
"""

import sys

import numpy as np

import graphc as gx

if len(sys.argv) > 1:
    data, epochs = gx.train.load_mnist(sys.argv[1]), 2
else:
    data, epochs = gx.train.split(*gx.train.load_digits(), held_out=0.2, seed=0), 12
size = round(data.train_images[0].size ** 0.5)  # 8, or 28 of MNIST


def as_images(rows):
    """Images with their one channel: (n, 1, size, size)."""
    return rows.reshape(-1, 1, size, size)


# Each convolution looks at windows of 5 x 5; each pooling keeps the largest of 2 x 2.
model = gx.nn.Sequential(
    gx.nn.Conv2d(1, 6, 5, activation="relu", padding="same", seed=1, name="conv1"),
    gx.nn.MaxPool(2),
    gx.nn.Conv2d(6, 16, 5, activation="relu", padding="same", seed=2, name="conv2"),
    gx.nn.MaxPool(2),
    gx.nn.flatten,
    gx.nn.Dense(16 * (size // 4) ** 2, 84, activation="relu", seed=3, name="hidden"),
    gx.nn.Dense(84, 10, seed=4, name="scores"),
)
x = gx.input("x", ("n", 1, size, size))
t = gx.input("t", ("n",), dtype="int64")
scores = model(x)
loss = gx.mean(gx.nn.softmax_cross_entropy(scores, t))
accuracy = gx.mean(gx.equal(gx.argmax(scores, axis=1), t))
print(model)

trainer = gx.train.Trainer(
    loss, inputs=[x, t], optimizer=gx.train.adam(0.003), metrics={"accuracy": accuracy}
)
learned = (as_images(data.train_images), data.train_labels)
held_out = (as_images(data.test_images), data.test_labels)
history = trainer.fit(learned, batch_size=32, epochs=epochs, validation=held_out, progress=False)
print(history)

# What moves when the digit does? The gradient of its score says which pixels speak for it.
image = held_out[0][:1]
read = gx.compile(x, [gx.argmax(scores, axis=1), gx.grad(gx.sum(gx.max(scores, axis=1)), x)])
answer, speaks = read(image)
for pixels, slopes in zip(image[0, 0], speaks[0, 0] / np.abs(speaks).max(), strict=True):
    shown = "".join(" ░▒▓█"[round(4 * float(pixel))] * 2 for pixel in pixels)
    print(shown, "  ", "".join("-- . ++"[round(3 + 3 * float(slope))] * 2 for slope in slopes))
print("is read as", answer[0], "and is", held_out[1][0], "by the pixels with + and without -")

answers = read(held_out[0])[0]
print(f"{np.mean(answers == held_out[1]):.1%} of {len(answers)} digits held out are right")
