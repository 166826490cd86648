"""Tell which of four newsgroups a post is from: the network of Azure ML's HyperDrive lab, as a plain script.

    python train.py --learning_rate 0.07 --num_epochs 10 --batch_size 150 --hidden_size 100

A fifth of the training posts is held back, and after each epoch the script prints how well they are told apart. With
`--final` it learns from all training posts, uses the test posts, once, and saves the network.
`torchrun --nproc-per-node 2 train.py …` shares each batch between two processes.
"""

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch
from posts import GROUPS, read_posts
from sklearn.feature_extraction.text import CountVectorizer
from torch import distributed, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

RANK, RANKS = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def main():
    """Train as the arguments say."""
    arguments = parse_arguments()
    torch.manual_seed(arguments.seed)
    if RANKS > 1:
        distributed.init_process_group("gloo")
    texts, groups = read_posts(arguments.data, "train")
    held = [] if arguments.final else np.random.default_rng(0).permutation(len(texts))[: len(texts) // 5]
    rest = np.setdiff1d(np.arange(len(texts)), held)
    vectorizer = CountVectorizer(stop_words="english", min_df=3)
    vectorizer.fit([texts[i] for i in rest])  # the words of the posts that are learnt from, and of no others
    x = counts(vectorizer, texts)
    network = build(x.shape[1], arguments.hidden_size)
    judged = rest if arguments.final else held
    curves = train(network, (x[rest], groups[rest]), (x[judged], groups[judged]), arguments)
    if RANK == 0:
        draw(curves, Path(arguments.output))
        if arguments.final:
            save(network, vectorizer, Path(arguments.output))
            texts, groups = read_posts(arguments.data, "test")
            _, accuracy = judge(network, counts(vectorizer, texts), groups)
            print(f"{round(accuracy * len(groups))} of {len(groups)} test posts are right")
    if RANKS > 1:
        distributed.destroy_process_group()


def parse_arguments():
    """The lab's four arguments, and where things are."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--learning_rate", type=float, default=0.05)
    parser.add_argument("--num_epochs", type=int, default=5)
    parser.add_argument("--batch_size", type=int, default=150)
    parser.add_argument("--hidden_size", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--data", default=os.environ.get("WINDTUNNEL_DATA"), help="folder of the posts; else some are made up"
    )
    parser.add_argument("--output", default=".", help="folder for pictures and the network")
    parser.add_argument("--final", action="store_true", help="learn from all training posts, and use the test posts")
    return parser.parse_args()


def counts(vectorizer, texts):
    """Logarithms of words' counts, a row a text: a word that is said ten times is not ten times as telling."""
    return vectorizer.transform(texts).astype(np.float32).log1p()


def build(inputs, hidden):
    """The lab's network: two hidden layers of one size."""
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, len(GROUPS))
    )


def train(network, learnt, judged, arguments):
    """Train for all epochs; returns loss and accuracy after each, of the posts that the network is judged by."""
    (x, y), rng = learnt, np.random.default_rng(arguments.seed)
    model = DistributedDataParallel(network) if RANKS > 1 else network
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.learning_rate)
    curves = {"loss": [], "accuracy": []}
    for epoch in range(1, arguments.num_epochs + 1):
        for batch in np.split(rng.permutation(len(y)), range(arguments.batch_size, len(y), arguments.batch_size)):
            part = batch[RANK::RANKS]
            # Gradients are averaged over the ranks: so the sum over all parts is the whole batch's mean.
            loss = cross_entropy(model(dense(x[part])), torch.from_numpy(y[part]), reduction="sum")
            optimizer.zero_grad()
            (loss * RANKS / len(batch)).backward()
            optimizer.step()
        loss, accuracy = judge(network, *judged)
        curves["loss"].append(loss)
        curves["accuracy"].append(accuracy)
        if RANK == 0:
            print(f"epoch {epoch}: loss={loss:.4f} accuracy={accuracy:.4f}", flush=True)
    return curves


def judge(network, x, y):
    """Mean loss, and the share of posts that are told right."""
    with torch.inference_mode():
        logits, groups = network(dense(x)), torch.from_numpy(y)
        return cross_entropy(logits, groups).item(), (logits.argmax(1) == groups).float().mean().item()


def dense(rows):
    """Rows of a sparse matrix as a tensor."""
    return torch.from_numpy(rows.toarray())


def draw(curves, folder):
    """A picture of each curve."""
    from matplotlib.figure import Figure

    for name, values in curves.items():
        figure = Figure(figsize=(5, 3), layout="constrained")
        axes = figure.add_subplot(xlabel="epoch", ylabel=name)
        axes.plot(range(1, len(values) + 1), values, marker=".")
        figure.savefig(folder / f"{name}.png")


def save(network, vectorizer, folder):
    """The network as ONNX, and the words that its inputs count."""
    words = vectorizer.get_feature_names_out().tolist()
    (folder / "words.json").write_text(json.dumps(words))
    example = torch.zeros(2, len(words))
    axes = {"counts": {0: "posts"}, "logits": {0: "posts"}}
    names = {"input_names": ["counts"], "output_names": ["logits"], "dynamic_axes": axes}
    torch.onnx.export(network, (example,), folder / "model.onnx", **names, dynamo=False)


if __name__ == "__main__":
    main()
