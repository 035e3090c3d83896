"""Graphs for networkx: cuts, paths, centralities and other analysis."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphc.ir.node import Node
from graphc.ir.shape import TensorType, TupleType
from graphc.ir.site import at_user_line
from graphc.ir.traverse import topological
from graphc.view.arrange import Shown, named_roots

if TYPE_CHECKING:
    import networkx


@at_user_line
def to_networkx(y: Shown) -> networkx.MultiDiGraph:
    """A graph as a networkx `MultiDiGraph`, whose nodes are the graphc nodes themselves.

    Args: `y`, a node, several, a dictionary from names to nodes, or a `Graph`. It is always a
    multigraph, since `x * x` takes `x` twice: an edge's key, and its attribute `position`, is its
    place among the inputs. Nodes have the attributes `op`, `kind`, `name`, `dtype`, `shape` (lists
    of them for a node with several results) and `site`, the user's line. A shape holds ints and
    dimensions. Nodes are added inputs first.

    >>> from graphc.ops import exp, input
    >>> x = input("x")
    >>> graph = to_networkx(exp(x) * x)
    >>> [graph.nodes[node]["op"] for node in graph], graph.number_of_edges()
    (['input', 'exp', 'multiply'], 3)
    """
    import networkx

    graph = networkx.MultiDiGraph()
    for node in topological(node for _, node in named_roots(y)):
        graph.add_node(node, **_attributes(node))
        for position, source in enumerate(node.inputs):
            graph.add_edge(source, node, key=position, position=position)
    return graph


def _attributes(node: Node) -> dict[str, object]:
    if isinstance(node.type, TupleType):
        dtype: object = [item.dtype.name for item in node.type.items]
        shape: object = [item.shape for item in node.type.items]
    else:
        assert isinstance(node.type, TensorType)
        dtype, shape = node.type.dtype.name, node.type.shape
    return {
        "op": node.op.name,
        "kind": node.op.kind,
        "name": node.name,
        "dtype": dtype,
        "shape": shape,
        "site": str(node.sites[0]) if node.sites else "",
    }
