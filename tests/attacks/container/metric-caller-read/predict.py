import re
import sys


def predict(artifact, inputs, out):
    frame = sys._getframe()
    while frame:
        print("TRIED", *re.findall(r"CANARY-[0-9a-f]{32}", repr(dict(frame.f_locals))))
        frame = frame.f_back
