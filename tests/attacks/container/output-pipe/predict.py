import os


def predict(artifact, inputs, out):
    print("TRIED")
    os.mkfifo(out / "predictions.json")
