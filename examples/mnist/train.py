"""Train a small convolutional network on MNIST, with the arguments that PyTorch's own example has.

    python train.py --epochs 3 --lr 0.5 --data FOLDER

The last 5,000 training images are held back, and each epoch prints how many of them are read right. `--test` measures
the trained network on the test images, once. Without a folder of MNIST's four files, images are made up.
"""

import argparse
import gzip
import os
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy


def main():
    """Train as the arguments say."""
    arguments = parse_arguments()
    torch.manual_seed(arguments.seed)
    device = "cuda" if torch.cuda.is_available() and not arguments.no_accel else "cpu"
    images, labels = read(arguments.data, "train")
    held = len(labels) // 12
    network = build().to(device)
    optimizer = torch.optim.Adadelta(network.parameters(), lr=arguments.lr)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=arguments.gamma)
    for epoch in range(1, arguments.epochs + 1):
        train(network, optimizer, images[:-held].to(device), labels[:-held].to(device), epoch, arguments)
        loss, right = judge(network, images[-held:].to(device), labels[-held:].to(device), arguments.test_batch_size)
        print(
            f"Epoch {epoch}: average loss {loss:.4f}, accuracy {right}/{held} ({100 * right / held:.2f}%)", flush=True
        )
        schedule.step()
    if arguments.test:
        images, labels = read(arguments.data, "t10k")
        _, right = judge(network, images.to(device), labels.to(device), arguments.test_batch_size)
        print(f"{right} of {len(labels)} test images are right")
    if arguments.save_model:
        torch.save(network.state_dict(), "mnist_cnn.pt")


def parse_arguments():
    """The arguments of PyTorch's example, `--data` and `--test`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--test-batch-size", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=14)
    parser.add_argument("--lr", type=float, default=1.0)
    parser.add_argument("--gamma", type=float, default=0.7, help="factor of the learning rate after each epoch")
    parser.add_argument("--no-accel", action="store_true", help="train on the CPU")
    parser.add_argument("--dry-run", action="store_true", help="take one step an epoch")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--log-interval", type=int, default=0, metavar="STEPS", help="print the loss so often")
    parser.add_argument("--save-model", action="store_true")
    parser.add_argument("--data", default=os.environ.get("WINDTUNNEL_DATA"), help="folder of MNIST's four files")
    parser.add_argument("--test", action="store_true", help="use the test images")
    return parser.parse_args()


def build():
    """The network: two convolutions and two dense layers, with dropout."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(8, 16, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25),
        nn.Flatten(), nn.Linear(400, 64), nn.ReLU(), nn.Dropout(0.5), nn.Linear(64, 10),
    )  # fmt: skip


def train(network, optimizer, images, labels, epoch, arguments):
    """One epoch, in an order that torch's generator draws."""
    network.train()
    for step, batch in enumerate(torch.randperm(len(labels)).split(arguments.batch_size), start=1):
        loss = cross_entropy(network(images[batch]), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if arguments.log_interval and step % arguments.log_interval == 0:
            print(f"epoch {epoch}, step {step}: {loss.item():.4f}")
        if arguments.dry_run:
            break


@torch.inference_mode()
def judge(network, images, labels, batch_size):
    """Mean loss, and how many images are read right."""
    network.eval()
    logits = torch.cat([network(batch) for batch in images.split(batch_size)])
    return cross_entropy(logits, labels).item(), int((logits.argmax(1) == labels).sum())


def read(folder, part):
    """Images, N x 1 x 28 x 28 from 0 to 1, and labels: of `train` or of `t10k`, which are the test images."""
    if not folder:
        return make_up(300 if part == "train" else 100, seed=len(part))
    images = gzip.decompress(Path(folder, f"{part}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress(Path(folder, f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
    pixels = np.frombuffer(images, np.uint8).reshape(-1, 1, 28, 28).astype(np.float32) / 255
    return torch.from_numpy(pixels), torch.from_numpy(np.frombuffer(labels, np.uint8).astype(np.int64))


def make_up(count, seed):
    """Ten blurred patterns under noise, in place of digits."""
    patterns = np.kron(np.random.default_rng(0).random((10, 7, 7)), np.ones((4, 4)))
    rng = np.random.default_rng(seed)
    labels = rng.integers(10, size=count)
    pixels = (patterns[labels] + rng.random((count, 28, 28))) / 2
    return torch.from_numpy(pixels[:, None].astype(np.float32)), torch.from_numpy(labels)


if __name__ == "__main__":
    main()
