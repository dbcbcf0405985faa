import glob
import json


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    for folder in ("/tmp", "/dev/shm", "/dev/mqueue", "/var/tmp", "/run", "/home/jovyan", str(out)):
        try:
            if target["token"]:
                with open(f"{folder}/left", "w") as file:
                    file.write(target["token"])
            else:
                print(*(open(name).read() for name in glob.glob(f"{folder}/left")))
        except OSError as fault:
            print(fault)
