# FindMe's images, one target each. `make images` builds them all.
#
#   target       image                port  command                          probes
#   ingest       findme/ingest        8001  python -m services.ingest        /livez /readyz /metrics
#   recognition  findme/recognition   8002  python -m services.recognition   /livez /readyz /metrics
#   gallery      findme/gallery       8003  python -m services.gallery       /livez /readyz /metrics
#   media        findme/media         8004  python -m services.media         /livez /readyz /metrics
#   tools        findme/tools         -     findme (migrate, dlq, status …)  -
#
# All run as 10001:10001 on a read-only root; they write to /tmp alone (give it a tmpfs).
#
# Every RUN is a script of deploy/images with the target's name; tests follow this file's COPY and
# RUN steps in an empty folder, and start what came out.
#
# Native libraries: the wheels bring their own (libvips and its codecs in pyvips-binary, libheif,
# OpenBLAS, ONNX Runtime; OpenCV is the headless build, without libGL). Of the base image they load
# the C and C++ runtimes (libc, libm, libgcc_s, libstdc++) and zlib; check-image.py refuses an image
# in which one is missing.
#
# To pin the base for good, pull it once and pass what was pulled:
#   docker pull python:3.11.14-slim-bookworm
#   docker inspect --format '{{index .RepoDigests 0}}' python:3.11.14-slim-bookworm
#   PYTHON_IMAGE=python:3.11.14-slim-bookworm@sha256:… make images
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm


# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS build
WORKDIR /build
COPY deploy/images/ deploy/images/
COPY requirements/build.lock requirements/
ENV PIP_ROOT_USER_ACTION=ignore


FROM build AS ingest-build
COPY requirements/ingest.lock requirements/
RUN --mount=type=cache,target=/root/.cache/pip deploy/images/install-packages.sh ingest /opt/findme
COPY libs/ /opt/findme/app/libs/
COPY services/__init__.py /opt/findme/app/services/
COPY services/ingest/ /opt/findme/app/services/ingest/
RUN deploy/images/finish-image.sh ingest /opt/findme

FROM build AS recognition-build
COPY requirements/recognition.lock requirements/
RUN --mount=type=cache,target=/root/.cache/pip deploy/images/install-packages.sh recognition /opt/findme
COPY libs/ /opt/findme/app/libs/
COPY services/__init__.py /opt/findme/app/services/
COPY services/recognition/ /opt/findme/app/services/recognition/
RUN deploy/images/prepare-models.sh recognition /opt/findme
# hadolint ignore=DL3059
RUN deploy/images/finish-image.sh recognition /opt/findme

# The browser app, by Node from a wheel. The gallery sends it.
FROM build AS browser-app-build
COPY requirements/web.lock requirements/
COPY web/package.json web/package-lock.json web/.npmrc web/
RUN --mount=type=cache,target=/root/.npm deploy/images/install-node.sh browser-app /opt/findme
COPY web/scripts/ web/scripts/
COPY web/static/ web/static/
COPY web/tsconfig.json web/vite.config.ts web/
COPY web/src/ web/src/
COPY services/gallery/api_document/openapi.json services/gallery/api_document/
RUN deploy/images/build-browser-app.sh browser-app /opt/findme

FROM build AS gallery-build
COPY requirements/gallery.lock requirements/
RUN --mount=type=cache,target=/root/.cache/pip deploy/images/install-packages.sh gallery /opt/findme
COPY libs/ /opt/findme/app/libs/
COPY services/__init__.py /opt/findme/app/services/
COPY services/gallery/ /opt/findme/app/services/gallery/
COPY --from=browser-app-build /opt/findme/web/ /opt/findme/web/
RUN deploy/images/finish-image.sh gallery /opt/findme

FROM build AS media-build
COPY requirements/media.lock requirements/
RUN --mount=type=cache,target=/root/.cache/pip deploy/images/install-packages.sh media /opt/findme
COPY libs/ /opt/findme/app/libs/
COPY services/__init__.py /opt/findme/app/services/
COPY services/media/ /opt/findme/app/services/media/
RUN deploy/images/finish-image.sh media /opt/findme

# The commands use the services' own settings, and their rules for accounts, events, copies and models.
FROM build AS tools-build
COPY requirements/tools.lock requirements/
RUN --mount=type=cache,target=/root/.cache/pip deploy/images/install-packages.sh tools /opt/findme
COPY libs/ /opt/findme/app/libs/
COPY services/__init__.py /opt/findme/app/services/
COPY services/gallery/ /opt/findme/app/services/gallery/
COPY services/ingest/ /opt/findme/app/services/ingest/
COPY services/media/ /opt/findme/app/services/media/
COPY services/recognition/ /opt/findme/app/services/recognition/
COPY standalone/ /opt/findme/app/standalone/
COPY backup/ /opt/findme/app/backup/
COPY cli/ /opt/findme/app/cli/
RUN deploy/images/finish-image.sh tools /opt/findme


# hadolint ignore=DL3006
FROM ${PYTHON_IMAGE} AS runtime
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.vendor="FindMe" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# HOME: some libraries look for a home, and the user has none.
ENV PATH=/opt/findme/venv/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONPATH=/opt/findme/app \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    PYTHONFAULTHANDLER=1 \
    HOME=/tmp \
    HOST=0.0.0.0
WORKDIR /opt/findme/app
USER 10001:10001


FROM runtime AS ingest
LABEL org.opencontainers.image.title="FindMe ingest" \
      org.opencontainers.image.description="Takes photos and selfies in"
ENV PORT=8001
EXPOSE 8001
COPY --from=ingest-build /opt/findme/ /opt/findme/
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-I", "-S", "/opt/findme/healthcheck.py"]
ENTRYPOINT ["python", "-m", "services.ingest"]

FROM runtime AS recognition
LABEL org.opencontainers.image.title="FindMe recognition" \
      org.opencontainers.image.description="Finds faces and matches them"
ENV PORT=8002 \
    FINDME_MODEL_DIR=/opt/findme/models
EXPOSE 8002
COPY --from=recognition-build /opt/findme/ /opt/findme/
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-I", "-S", "/opt/findme/healthcheck.py"]
ENTRYPOINT ["python", "-m", "services.recognition"]

FROM runtime AS gallery
LABEL org.opencontainers.image.title="FindMe gallery" \
      org.opencontainers.image.description="Accounts, events, photo lists and live streams, and the pages"
ENV PORT=8003 \
    WEB_DIR=/opt/findme/web
EXPOSE 8003
COPY --from=gallery-build /opt/findme/ /opt/findme/
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-I", "-S", "/opt/findme/healthcheck.py"]
ENTRYPOINT ["python", "-m", "services.gallery"]

FROM runtime AS media
LABEL org.opencontainers.image.title="FindMe media" \
      org.opencontainers.image.description="Sends photos and their renditions"
ENV PORT=8004
EXPOSE 8004
COPY --from=media-build /opt/findme/ /opt/findme/
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
    CMD ["python", "-I", "-S", "/opt/findme/healthcheck.py"]
ENTRYPOINT ["python", "-m", "services.media"]

FROM runtime AS tools
LABEL org.opencontainers.image.title="FindMe tools" \
      org.opencontainers.image.description="The findme command: migrate, dlq, partitions, status"
ENV FINDME_DATA_DIR=/tmp/findme
COPY --from=tools-build /opt/findme/ /opt/findme/
HEALTHCHECK NONE
ENTRYPOINT ["python", "-m", "cli"]
CMD ["--help"]
