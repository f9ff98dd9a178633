# Gitune as a command in a container: mount a repository at /repository and give a command.
#   docker build -t gitune . && docker run --rm -v "$PWD:/repository:ro" gitune validate
# It holds what uv.lock names and nothing else. The daemon is not built yet, so there is no service to start here.
FROM python:3.12-slim-bookworm AS build
ENV UV_PYTHON_DOWNLOADS=never \
    UV_LINK_MODE=copy \
    UV_SYSTEM_CERTS=true \
    UV_COMPILE_BYTECODE=1 \
    UV_PROJECT_ENVIRONMENT=/opt/gitune
RUN pip install --no-cache-dir uv==0.13.9
WORKDIR /build
COPY pyproject.toml uv.lock README.md LICENSE ./
RUN uv sync --locked --no-default-groups --no-install-project
COPY controller controller
RUN uv sync --locked --no-default-groups --no-editable

FROM python:3.12-slim-bookworm
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --home-dir /var/lib/gitune --create-home gitune
COPY --from=build /opt/gitune /opt/gitune
ENV PATH=/opt/gitune/bin:$PATH \
    GITUNE_HOME=/var/lib/gitune
USER gitune
WORKDIR /repository
ENTRYPOINT ["gitune"]
CMD ["--help"]
