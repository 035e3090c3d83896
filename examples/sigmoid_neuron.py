"""A neuron, gate by gate and as one node: f = 1 / (1 + exp(-(w0 x0 + w1 x1 + w2))).

What a gate is, is a choice: any graph can be cut into small operations or taken as one large one.
The gradients are the same. Run it: python examples/sigmoid_neuron.py
"""

import graphc as gx

w0, x0, w1, x1, w2 = (gx.input(name) for name in ("w0", "x0", "w1", "x1", "w2"))
point = {w0: 2, x0: -1, w1: -3, x1: -2, w2: -3}
variables = [w0, x0, w1, x1, w2]

# Gate by gate: the score s, then -s, exp, +1 and 1/.
s = w0 * x0 + w1 * x1 + w2
e = gx.exp(-s)
d = 1 + e
f = 1 / d
gates = gx.backprop_table(f, point, variables, names={"s": s, "e": e, "d": d, "f": f})
print("Gate by gate:", gates, "", sep="\n")

# As one node. Its derivative needs the output only: ds/dx = σ(x) (1 - σ(x)), here 0.73 * 0.27.
neuron = gx.sigmoid(s)
one_node = gx.backprop_table(neuron, point, variables, names={"s": s, "f": neuron})
print("As one node:", one_node, "", sep="\n")

# graphc knows the gates again: simplified, they are the one node.
print("1 / (1 + exp(-s)) =", gx.show(gx.simplify(f), names={"s": s}))
