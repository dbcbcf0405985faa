# Site, worker, hub, proxy and agent: one image, five commands (see compose.yaml). Built from the top of the repository:
#   docker build -f deploy/site.Dockerfile -t practicum/site .
ARG PYTHON_IMAGE=python:3.12-slim-bookworm
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS node
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --no-audit --no-fund --ignore-scripts

FROM ${PYTHON_IMAGE}
# restic (0.14 or newer) and ssh: backups.
RUN apt-get update \
 && apt-get install -y --no-install-recommends restic openssh-client \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 1000 --create-home practicum \
 && install -d -o practicum /var/lib/practicum
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY requirements/site.txt /tmp/site.txt
RUN pip install --no-cache-dir --require-hashes -r /tmp/site.txt && rm /tmp/site.txt
WORKDIR /opt/practicum
COPY manage.py ./
COPY platform platform
COPY hub hub
COPY projects projects
# The programs that a replay bundle holds.
COPY images images
COPY --from=node /build/node_modules node_modules
RUN python -m compileall -q platform hub
ENV PYTHONPATH=/opt/practicum/platform:/opt/practicum/hub \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=practicum.config.settings \
    PRACTICUM_DATA_DIR=/var/lib/practicum
USER 1000:1000
