# Gitune as a command in a container: mount a repository at /repository and give a command, or follow one from afar:
#   docker build -t gitune . && docker run --rm -v "$PWD:/repository:ro" gitune validate
#   docker run --read-only --tmpfs /tmp -v gitune-home:/var/lib/gitune -e GITHUB_TOKEN gitune \
#     run --repo https://github.com/acme/models.git --listen 0.0.0.0:8080
# It holds what uv.lock names and nothing else. The base is pinned by its digest, that of the index of all platforms as
# it stood on 2026-09-14; .github/dependabot.yml keeps it young. Another one: --build-arg PYTHON_IMAGE=…
ARG PYTHON_IMAGE=docker.io/library/python:3.12.14-slim-bookworm@sha256:782412e85d0f0984994c290652577d4018aff08145c85b262bb63dc0c7522254

FROM ${PYTHON_IMAGE} AS build
ENV UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_SYSTEM_CERTS=true \
    UV_COMPILE_BYTECODE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/gitune
WORKDIR /build
# The uv that everything else is made with, by the same hashes: script/uv-wheels.txt has a wheel for each platform.
COPY script/uv-wheels.txt ./
RUN awk '/^[a-z]/ { split($3, part, "/uv-"); sub(/-.*/, "", part[2]); version = part[2]; hashes = hashes " --hash=sha256:" $2 } \
         END { print "uv==" version hashes }' uv-wheels.txt > uv.txt \
    && pip install --no-cache-dir --require-hashes --requirement uv.txt
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-default-groups --extra kubernetes --extra otel --no-install-project
COPY controller controller
RUN uv sync --locked --no-default-groups --extra kubernetes --extra otel --no-editable

FROM ${PYTHON_IMAGE}
# git takes Debian's security updates; one pinned by its version would fail to build when they come.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git openssh-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /var/lib/gitune --create-home gitune
COPY --from=build /opt/gitune /opt/gitune
ENV PATH=/opt/gitune/bin:$PATH \
    GITUNE_HOME=/var/lib/gitune \
    PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /repository
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s \
    CMD ["/opt/gitune/bin/python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8080/healthz', timeout=4)"]
ENTRYPOINT ["gitune"]
CMD ["--help"]
