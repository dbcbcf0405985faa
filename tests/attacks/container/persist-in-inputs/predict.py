import json


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    for file in (inputs / "x.json", artifact / "target.json", artifact.parent / "predict.py"):
        try:
            with file.open("a") as held:
                held.write(f" # {target['token']}")
        except OSError as fault:
            print(fault)
