"""What can be computed: one definition for each operation, grouped by kind.

The public functions are listed in `elementwise_functions` and `array_functions`.
"""

from __future__ import annotations

import graphc.ops.dispatch  # noqa: F401  what operators and NumPy's functions do with nodes
from graphc.ops import array_functions as array_functions
from graphc.ops import elementwise_functions as elementwise_functions
from graphc.ops import linalg as linalg
from graphc.ops import random as random
from graphc.ops.array_functions import *  # noqa: F403
from graphc.ops.elementwise_functions import *  # noqa: F403
from graphc.ops.source import training as training

__all__ = ["linalg", "random", "training"]
__all__ += array_functions.__all__
__all__ += elementwise_functions.__all__
