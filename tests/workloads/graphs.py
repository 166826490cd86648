"""A space of one's own: acyclic graphs of operations, of which equal ones look alike."""

OPS = ("conv", "pool", "skip")


class Graphs:
    """Nodes in order, each with an operation and edges from earlier nodes: `{"ops": […], "edges": [[0, 1], …]}`."""

    def __init__(self, nodes):
        self.nodes = nodes
        self.pairs = [[a, b] for b in range(nodes) for a in range(b)]

    def sample(self, rng):
        ops = [rng.choice(OPS) for _ in range(self.nodes)]
        return {"ops": ops, "edges": [pair for pair in self.pairs if rng.random() < 0.5]}

    def mutate(self, value, rng):
        ops, edges = list(value["ops"]), list(value["edges"])
        if rng.random() < 0.5:
            ops[rng.randrange(self.nodes)] = rng.choice(OPS)
        else:
            pair = rng.choice(self.pairs)
            edges = [edge for edge in edges if edge != pair] if pair in edges else [*edges, pair]
        return {"ops": ops, "edges": edges}

    def crossover(self, first, second, rng):
        ops = [rng.choice(both) for both in zip(first["ops"], second["ops"], strict=True)]
        return {"ops": ops, "edges": [pair for pair in self.pairs if pair in rng.choice((first, second))["edges"]]}

    def canonical(self, value):
        if not isinstance(value, dict) or len(value.get("ops", ())) != self.nodes:
            raise ValueError(f"a graph of {self.nodes} nodes")
        return {"ops": list(value["ops"]), "edges": sorted(map(list, value["edges"]))}


class WithFeatures(Graphs):
    def features(self, value):
        return [value["ops"].count("conv") / self.nodes, len(value["edges"]) / len(self.pairs)]


class Faces:
    """A few values only."""

    def values(self):
        return [[1], [2], [3]]

    def sample(self, rng):
        return rng.choice(self.values())

    def mutate(self, value, rng):
        return rng.choice(self.values())

    def crossover(self, first, second, rng):
        return first
