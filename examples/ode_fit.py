"""Fit the rates of an ordinary differential equation to noisy data, with honest error bars.

Predators and prey (Lotka and Volterra): dx/dt = a x - b x y, dy/dt = c x y - d y. The solver is a
loop in the graph, so derivatives go through it: columns of its Jacobian, one for each rate, give
the steps of Gauss and Newton and, at the end, the covariance of the estimate.
Run it: python examples/ode_fit.py
"""

import numpy as np

import graphc as gx

gx.set_default_float("float64")
STEP, COUNT, NOISE = 0.05, 200, 0.1
TRUE = np.array([1.0, 0.6, 0.4, 0.8])

# The rates are positive: their logarithms are what is fitted.
log_rates = gx.input("log_rates", (4,))
data = gx.input("data", (COUNT, 2))
rates = gx.exp(log_rates)


def slope(z: gx.Node) -> gx.Node:
    """The right side of the equation at a state z = (prey, predators)."""
    x, y = z[0], z[1]
    return gx.stack([rates[0] * x - rates[1] * x * y, rates[2] * x * y - rates[3] * y])


def runge_kutta(z: gx.Node, _: None) -> tuple[gx.Node, gx.Node]:
    """One step of fourth order: the new state is carried on, and kept."""
    k1 = slope(z)
    k2 = slope(z + STEP / 2 * k1)
    k3 = slope(z + STEP / 2 * k2)
    k4 = slope(z + STEP * k3)
    z = z + STEP / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return z, z


_, path = gx.scan(runge_kutta, np.array([2.0, 1.0]), length=COUNT)
residual = (path - data) / NOISE
cost = gx.sum(residual**2) / 2
jacobian = gx.reshape(gx.jacobian(residual, log_rates, mode="forward"), (2 * COUNT, 4))
information = jacobian.T @ jacobian
gradient = gx.grad(cost, log_rates)  # reverse mode: one loop back in time
damping = gx.input("damping")
move = gx.solve(information + damping * gx.eye(4), gradient)

solve_ode = gx.compile(log_rates, path)
fit_step = gx.compile([log_rates, data, damping], [cost, gradient, move])
covariance = gx.compile([log_rates, data], gx.solve(information, gx.eye(4)))

noisy = solve_ode(np.log(TRUE)) + NOISE * np.random.default_rng(0).standard_normal((COUNT, 2))
place, damp, best = np.log([0.5, 0.5, 0.5, 0.5]), 1.0, np.inf
for iteration in range(60):  # Levenberg and Marquardt: shorter steps where one fails
    value, slopes, step = fit_step(place, noisy, damp)
    if value < best:
        if iteration % 4 == 0 or best - value < 1e-9:
            print(
                f"step {iteration:2}: chi-square {2 * value:12.3f}, slope {abs(slopes).max():.1e}"
            )
        if best - value < 1e-9:
            break
        best, kept, damp = value, place, damp / 5
    else:
        _, _, step = fit_step(kept, noisy, damp := damp * 10)
    place = kept - step

fitted = np.exp(kept)
errors = fitted * np.sqrt(np.diag(covariance(kept, noisy)))
print(f"chi-square {2 * best:.1f} for {2 * COUNT - 4} degrees of freedom")
for name, value, error, true in zip("abcd", fitted, errors, TRUE, strict=True):
    print(f"  {name} = {value:.4f} +- {error:.4f}, in truth {true}")
gx.set_default_float("float32")
