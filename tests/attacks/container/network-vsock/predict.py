import json
import socket


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    with socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM) as stream:
        stream.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
        stream.listen()
        print("DONE", target["token"])
