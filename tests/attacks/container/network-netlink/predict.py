import socket
import struct

RTM_GETLINK, DUMP = 18, 0x301


def predict(artifact, inputs, out):
    print("TRIED")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as stream:
        stream.settimeout(3)
        stream.send(struct.pack("=IHHII", 32, RTM_GETLINK, DUMP, 1, 0) + bytes(16))
        said = b""
        while len(said) < 200_000:
            part = stream.recv(65_536)
            said += part
            if struct.unpack("=H", part[4:6])[0] == 3:
                break
    at = said.find(b"\x0a\0\x01\0")  # attributes of kind 1 and six bytes: hardware addresses
    while at >= 0:
        print(said[at + 4 : at + 10].hex(":"))
        at = said.find(b"\x0a\0\x01\0", at + 1)
