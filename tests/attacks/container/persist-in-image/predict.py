import json

import numpy


def predict(artifact, inputs, out):
    print("TRIED")
    for file in (json.__file__, numpy.__file__, "/opt/practicum/predict.py", "/etc/passwd"):
        try:
            with open(file, "a") as library:
                library.write("#")
        except OSError as fault:
            print(fault)
