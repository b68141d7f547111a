# The environment of requirements.lock without the code, which is that of the clone that is mounted:
#
#   docker build -t lowparam .
#   docker run --rm -u $(id -u) -v "$PWD:/work" lowparam snakemake
#
# With a GPU, add --gpus all. docs/cluster.md has the same for Apptainer.

FROM python:3.11-slim-bookworm

RUN apt-get update \
    && apt-get install -y --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*

COPY requirements.lock /
RUN pip install --no-cache-dir --requirement /requirements.lock

# The command that pip would make, for the package in the folder that it is called in.
RUN printf '#!/bin/sh\nPYTHONPATH=workflow exec python -m lowparam.cli "$@"\n' > /usr/local/bin/lowparam \
    && chmod +x /usr/local/bin/lowparam

# Snakemake and DVC write their caches here, whoever runs them, and ask for the name of the user: -u gives a number that
# has none. One thread a process: the workflow runs as many processes as there are cores.
ENV HOME=/tmp USER=lowparam OMP_NUM_THREADS=1 PYTHONPATH=workflow

WORKDIR /work
