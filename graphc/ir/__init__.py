"""What a graph is: dtypes, dimensions, operations, nodes, graphs and their text. Data only."""
