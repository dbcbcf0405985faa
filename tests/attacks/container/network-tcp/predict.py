import json
import socket


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    with socket.create_connection((target["host"], target["tcp"]), 3) as stream:
        stream.sendall(target["token"].encode())
