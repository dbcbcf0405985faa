def predict(artifact, inputs, out):
    print("TRIED")
    (out / "predictions.json").write_text("[1]")
    (out / "predictions.json").chmod(0)
