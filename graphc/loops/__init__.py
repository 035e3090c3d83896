"""The loop program: what a kernel does, without saying how a target writes it. Knows nothing of
graphs."""
