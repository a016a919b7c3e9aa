# One image; the command decides what a container is: portal, staff, api, verify, notify, upkeep, migrate (webapp/roles.py).
# The steps are those of bin/install; tests/test_setup.py holds this file against it.
FROM debian:12-slim

WORKDIR /app

# First what changes seldom: Debian packages and hash-locked Python packages (600 MB), from the same lists as everywhere.
COPY requirements/ requirements/
COPY bin/install bin/install
RUN bin/install run && rm -rf /var/lib/apt/lists/* /root/.cache var

COPY bin/role bin/role
COPY verification/ verification/
COPY cases/ cases/
COPY workers/ workers/
COPY webapp/ webapp/
COPY static/ static/
# Again: now it finds translations to compile. Nothing is downloaded.
RUN bin/install run && rm -rf var && .venv/bin/python -m compileall -q verification cases workers webapp

RUN useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin peremena \
    && install -d -o peremena -g peremena -m 0700 /data /data/anchors
USER 10001:10001

# Secrets and addresses come from outside: see .env.example.
ENV MODE=production \
    DATA_DIR=/data \
    BIND=0.0.0.0 \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1
VOLUME /data
EXPOSE 8000 8001 8002

# GET /healthz of the portal; compose.yaml asks each role for its own health.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["bin/role", "health", "portal"]
ENTRYPOINT ["bin/role"]
CMD ["portal"]
