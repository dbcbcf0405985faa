import glob
import json


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    for place in ("/proc/sys/kernel/core_pattern", *glob.glob("/host/proc/sys/kernel/core_pattern")):
        try:
            with open(place) as file:
                same = file.read()
            with open(place, "w") as file:
                file.write(same)  # a real one would name its own program here
            print("DONE", target["token"])
        except OSError as fault:
            print(fault)
