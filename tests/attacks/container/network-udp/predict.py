import json
import socket


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stream:
        for address in (target["host"], "255.255.255.255", "224.0.0.1"):
            try:
                stream.sendto(target["token"].encode(), (address, target["udp"]))
            except OSError as fault:
                print(fault)
