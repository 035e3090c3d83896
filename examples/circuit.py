"""Back-propagation by hand: f = (x + y) z at x = -2, y = 5, z = -4.

A graph of two operations. Forward, each passes its value on. Backward, each multiplies the gradient
that arrives with its own local derivative: the chain rule. Run it: python examples/circuit.py
"""

import graphc as gx

# Symbols: nothing is computed here, a graph is built.
x, y, z = gx.input("x"), gx.input("y"), gx.input("z")
q = x + y
f = q * z

# The derivatives are graphs too, made from the graph of f.
df_dx, df_dy, df_dz = gx.grad(f, [x, y, z])
print("df/dx =", gx.show(df_dx), "  df/dy =", gx.show(df_dy), "  df/dz =", gx.show(df_dz))
print()

# With numbers, node by node: values forward, from the bottom up; gradients backward, from the top
# down. In f = q * z each factor's local derivative is the other factor; a sum passes gradients on.
point = {x: -2, y: 5, z: -4}
table = gx.backprop_table(f, point, wrt=[x, y, z], names={"f": f, "q": q})
print(table)
print()

# The same from compiled code: one native function for the value and its three derivatives.
compiled = gx.compile([x, y, z], [f, df_dx, df_dy, df_dz])
value, *gradients = map(float, compiled(-2, 5, -4))
print("compiled: f =", value, "with gradients", gradients)
