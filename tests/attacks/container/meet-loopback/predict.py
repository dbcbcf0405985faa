import json
import socket
import time

PORT = 48_299


def predict(artifact, inputs, out):
    target = json.loads((artifact / "target.json").read_text())
    print("TRIED", flush=True)
    if target["token"]:
        with socket.create_server(("127.0.0.1", PORT)) as server:
            server.settimeout(2)
            server.accept()[0].sendall(target["token"].encode())
        return
    for _ in range(100):
        try:
            with socket.create_connection(("127.0.0.1", PORT), 1) as stream:
                print(stream.recv(100).decode())
                return
        except OSError:
            time.sleep(0.01)
