import json
import socket


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    with socket.create_connection(("::1", target["tcp6"]), 3) as stream:
        stream.sendall(target["token"].encode())
