"""From a graph to steps: which nodes share a kernel, in which order, in which memory."""
