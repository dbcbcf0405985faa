import os


def predict(artifact, inputs, out):
    for _ in range(12):
        os.write(1, b"x" * 1_000_000)
    print("\nTRIED")
