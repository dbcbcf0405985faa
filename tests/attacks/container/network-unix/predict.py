import json
import socket


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    with socket.socket(socket.AF_UNIX) as stream:
        stream.connect("\0" + target["unix"])
        stream.sendall(target["token"].encode())
