def predict(artifact, inputs, out):
    print("TRIED", (inputs / "feature.txt").read_text(), flush=True)
    raise ValueError
