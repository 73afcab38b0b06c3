# The repository with its environment, for a user who is not root: `docker build -t provenn .`, then
# `docker run --rm -it provenn make repro`. For the CPU build of torch add
# `--build-arg PIP_EXTRA_INDEX_URL=…`, PyTorch's package index for the CPU, which its installation page names.
FROM python:3.13-slim AS tools
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home reader
USER reader
WORKDIR /home/reader/provenn

FROM tools
COPY --chown=reader:reader . .
# pip reads it; without it Linux gets the build for CUDA, several GB more.
ARG PIP_EXTRA_INDEX_URL
RUN PIP_NO_CACHE_DIR=1 make setup
ENV PATH=/home/reader/provenn/.venv/bin:$PATH
CMD ["make", "help"]
