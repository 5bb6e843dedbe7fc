# Build: docker build -t rotator .
# Run:   docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
#          -v /etc/rotator:/etc/rotator:ro -v /run/rotator-secrets:/run/secrets:ro rotator
# Pin the base by digest where builds must be repeatable: --build-arg BASE=python:3.13-slim@sha256:...
ARG BASE=python:3.13-slim

FROM ${BASE} AS build
WORKDIR /src
RUN python -m venv /opt/rotator && python -m venv /opt/build
COPY .ci/requirements.txt .ci/requirements-build.txt .ci/
RUN /opt/rotator/bin/pip install --no-cache-dir --no-compile --only-binary :all: --require-hashes \
        -r .ci/requirements.txt \
    && /opt/build/bin/pip install --no-cache-dir --require-hashes -r .ci/requirements-build.txt
COPY LICENSE README.md pyproject.toml ./
COPY rotator rotator
COPY systemd systemd
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/rotator/bin/pip install --no-cache-dir --no-compile --no-deps dist/*.whl \
    && /opt/rotator/bin/python -m pip uninstall --yes --quiet pip \
    && /opt/rotator/bin/python -m compileall -q /opt/rotator/lib

FROM ${BASE}
# Same path as in the build: the scripts of a virtual environment name their interpreter.
COPY --from=build /opt/rotator /opt/rotator
ENV PATH=/opt/rotator/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    ROTATOR_CONFIG=/etc/rotator/rotator.yaml
# A number, so that Kubernetes can tell that it is not root.
USER 10001:10001
WORKDIR /tmp
STOPSIGNAL SIGTERM
# Asks the daemon alone, for no restart would mend Vault or Salesforce. Both take the configuration's path from
# ROTATOR_CONFIG. In Kubernetes: livenessProbe: {exec: {command: [rotator, alive]}}.
HEALTHCHECK --interval=30s --timeout=5s --start-period=1m CMD ["rotator", "alive"]
ENTRYPOINT ["rotator"]
CMD ["run"]
