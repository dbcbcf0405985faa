def predict(artifact, inputs, out):
    print("TRIED")
    (out / "closed").mkdir()
    (out / "closed/predictions.json").write_text("[1]")
    (out / "closed").chmod(0o444)
