"""From SymPy to native code: the equations of a double pendulum, derived by SymPy, run by graphc.

SymPy derives what is tedious by hand: the equations of motion, from the energies (Lagrange).
gx.lambdify compiles them, with their Jacobian, for one state or for thousands at once; and
gx.to_sympy brings a graph back to SymPy.

    python examples/sympy_to_native.py
"""

import numpy as np
import sympy as sp

import graphc as gx

# Two rods of length 1 with masses 1 at their ends, and the angles from the vertical.
t = sp.Symbol("t")
g = sp.Rational(981, 100)
a, b = sp.Function("a")(t), sp.Function("b")(t)
x1, y1 = sp.sin(a), -sp.cos(a)
x2, y2 = x1 + sp.sin(b), y1 - sp.cos(b)
kinetic = sum(q.diff(t) ** 2 for q in (x1, y1, x2, y2)) / 2
potential = g * (y1 + y2)

# Lagrange's equations are linear in the accelerations: M q'' = f.
angles, rates = (a, b), (a.diff(t), b.diff(t))
lagrangian = sp.expand(kinetic - potential)
equations = [
    lagrangian.diff(r).diff(t) - lagrangian.diff(q) for q, r in zip(angles, rates, strict=True)
]
u, v = sp.symbols("u v")  # the accelerations
equations = [e.subs({a.diff(t, 2): u, b.diff(t, 2): v}) for e in equations]
mass, force = sp.linear_eq_to_matrix([sp.simplify(e) for e in equations], [u, v])
accelerations = mass.inv() * force
motion = sp.Matrix([*rates, *accelerations])

# One call gives the motion and its Jacobian, for numbers or for arrays of states.
state = (*angles, *rates)
slope = gx.lambdify([state], motion, derivatives=1)
values, jacobian = slope((0.1, 0.2, 0.0, 0.0))
print("slope", values.ravel().round(3))
print("Jacobian of shape", jacobian.shape, "with", len(slope.function.kernels), "kernel(s)")


def step(now, h):
    """One step of the classical Runge-Kutta method, for all pendulums at once."""

    def at(state):
        return np.moveaxis(slope(tuple(state))[0][..., 0], -1, 0)

    k1 = at(now)
    k2 = at(now + h / 2 * k1)
    k3 = at(now + h / 2 * k2)
    k4 = at(now + h * k3)
    return now + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)


# A thousand pendulums that start almost alike: the energy stays, the angles drift apart.
energy = gx.lambdify([state], kinetic.doit() + potential)
now = np.zeros((4, 1000))
now[0], now[1] = 2.0 + np.linspace(0, 1e-3, 1000), 2.5
before = energy(tuple(now))
for _ in range(2000):
    now = step(now, 0.005)
drift = np.abs(energy(tuple(now)) - before).max()
spread = now[1].std()
print(f"after 10 s the energy has changed by {drift:.0e}, the angles differ by {spread:.1f}")

# And back: the derivative of a graph, as SymPy writes it.
x = gx.input("x", dtype="float64")
back = gx.to_sympy(gx.grad(gx.exp(-x * x) * gx.sin(x), x))
print("back in SymPy:", sp.simplify(back))
