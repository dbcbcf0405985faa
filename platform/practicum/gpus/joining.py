"""The one command with which a machine becomes a server of this site. A pure function: facts in, text out.

The command is for root's shell on the new machine. What it carries goes in by standard input, so that it is in no list of
processes; what it writes there is readable by root alone. It may be run again. What a machine without systemd must do in
its place is said by ``PRACTICUM_RESTART_ENGINE`` and ``PRACTICUM_START_AGENT``.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Joining:
    """What the new machine is told: the engine's own certificate and key, the way into the swarm, the agent's token."""

    server: str
    address: str
    port: int
    authority: str
    certificate: str
    key: str
    swarm_token: str
    swarm_leader: str
    site_url: str
    agent_token: str
    agent_image: str


def command_of(joining: Joining) -> str:
    """The command, to be copied as a whole."""
    words = {
        name: shlex.quote(value)
        for name, value in vars(joining).items()
        if name in ("server", "address", "swarm_token", "swarm_leader", "site_url", "agent_image")
    }
    return SCRIPT.format(
        port=joining.port, authority=joining.authority.strip(), certificate=joining.certificate.strip(),
        key=joining.key.strip(), agent_token=joining.agent_token, **words,
    )  # fmt: skip


SCRIPT = """sudo -E sh -s <<'PRACTICUM'
set -eu
umask 077
folder=${{PRACTICUM_FOLDER:-/etc/practicum}}
name={server} address={address}
docker version >/dev/null || {{ echo 'Docker Engine does not answer here: install it first.' >&2; exit 1; }}
mkdir -p "$folder"
cat > "$folder/ca.pem" <<'PEM'
{authority}
PEM
cat > "$folder/cert.pem" <<'PEM'
{certificate}
PEM
cat > "$folder/key.pem" <<'PEM'
{key}
PEM
printf %s {agent_token} > "$folder/agent-token"
tls="--tlsverify --tlscacert=$folder/ca.pem --tlscert=$folder/cert.pem --tlskey=$folder/key.pem"
if [ -n "${{PRACTICUM_RESTART_ENGINE:-}}" ]; then
  sh -c "$PRACTICUM_RESTART_ENGINE" engine "$address" {port} "$tls"
else
  mkdir -p /etc/systemd/system/docker.service.d
  printf '[Service]\\nExecStart=\\nExecStart=/usr/bin/dockerd -H fd:// %s -H tcp://%s:{port} %s\\n' \\
    --containerd=/run/containerd/containerd.sock "$address" "$tls" > /etc/systemd/system/docker.service.d/practicum.conf
  systemctl daemon-reload
  systemctl restart docker
fi
if ! docker info --format '{{{{.Swarm.LocalNodeState}}}}' | grep -qx active; then
  docker swarm join --token {swarm_token} --advertise-addr "$address" {swarm_leader} || {{
    echo "If its token is void (it holds for an hour, and for one machine): practicum server add $name --again" >&2
    exit 1
  }}
fi
if [ -n "${{PRACTICUM_START_AGENT:-}}" ]; then
  sh -c "$PRACTICUM_START_AGENT" agent {site_url} "$folder/agent-token"
elif docker image inspect {agent_image} >/dev/null 2>&1; then
  docker rm -f practicum-agent >/dev/null 2>&1 || true
  chown 1000 "$folder/agent-token"
  docker run -d --name practicum-agent --restart unless-stopped --pid host --gpus all --cap-drop ALL \\
    -e NVIDIA_DRIVER_CAPABILITIES=utility -e PRACTICUM_SITE_URL={site_url} \\
    -e PRACTICUM_AGENT_TOKEN_FILE=/run/agent-token -v "$folder/agent-token:/run/agent-token:ro" \\
    {agent_image} python -m practicum_hub.agent >/dev/null
else
  echo 'The image of the agent is not here yet: run "practicum server images '"$name"'" on the site, then this again.'
fi
echo "This machine is the server $name of the site now."
PRACTICUM
"""
