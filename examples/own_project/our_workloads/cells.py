"""A kind of parameter of our own: cells, graphs in which every node takes its inputs from earlier ones."""


class Cells:
    """`{"ops": ["conv", "pool"], "edges": [[0, 1]]}`: an operation for each node, and pairs of nodes, from and to."""

    def __init__(self, nodes, ops):
        """Cells of so many nodes, each with one of these operations."""
        self.nodes, self.ops = nodes, ops
        self.pairs = [[start, end] for end in range(nodes) for start in range(end)]

    def sample(self, rng):
        """A random cell."""
        ops = [rng.choice(self.ops) for _ in range(self.nodes)]
        return {"ops": ops, "edges": [pair for pair in self.pairs if rng.random() < 0.5]}

    def mutate(self, value, rng):
        """The cell with one operation drawn anew, or one edge put in or taken out."""
        ops, edges = list(value["ops"]), list(value["edges"])
        if rng.random() < 0.5:
            ops[rng.randrange(self.nodes)] = rng.choice(self.ops)
        else:
            pair = rng.choice(self.pairs)
            edges.remove(pair) if pair in edges else edges.append(pair)
        return {"ops": ops, "edges": edges}

    def crossover(self, first, second, rng):
        """A cell with each operation and each edge from either of two."""
        ops = [rng.choice(both) for both in zip(first["ops"], second["ops"], strict=True)]
        return {"ops": ops, "edges": [pair for pair in self.pairs if pair in rng.choice((first, second))["edges"]]}

    def canonical(self, value):
        """The one form of equal cells, so that none is trained twice."""
        return {"ops": list(value["ops"]), "edges": sorted(map(list, value["edges"]))}

    def features(self, value):
        """Numbers from 0 to 1 by which models tell cells apart."""
        shares = [value["ops"].count(op) / self.nodes for op in self.ops]
        return [*shares, len(value["edges"]) / len(self.pairs)]
