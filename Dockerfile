# One file, one target for each app:  docker build --target gateway -t deja-gateway .
# Written so that old engines build it: no frontend line, no mounts, no here-documents. deploy/images.sh builds all four and looks at them: docs/deploy.md.
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /src
# What npm needs to install stands in a layer of its own, so that a change of sources does not install again.
COPY package.json package-lock.json .npmrc ./
COPY apps/cli/package.json apps/cli/
COPY apps/gateway/package.json apps/gateway/
COPY apps/router/package.json apps/router/
COPY apps/semantic-cache/package.json apps/semantic-cache/
COPY apps/usage-worker/package.json apps/usage-worker/
COPY libs/admin-api/package.json libs/admin-api/
COPY libs/cache-key/package.json libs/cache-key/
COPY libs/config/package.json libs/config/
COPY libs/content-safety/package.json libs/content-safety/
COPY libs/contracts/package.json libs/contracts/
COPY libs/in-flight/package.json libs/in-flight/
COPY libs/launcher/package.json libs/launcher/
COPY libs/postgres/package.json libs/postgres/
COPY libs/pricing/package.json libs/pricing/
COPY libs/redis/package.json libs/redis/
COPY libs/routing/package.json libs/routing/
COPY libs/similarity/package.json libs/similarity/
COPY libs/telemetry/package.json libs/telemetry/
COPY libs/testing/package.json libs/testing/
COPY libs/tokens/package.json libs/tokens/
COPY libs/transport/package.json libs/transport/
COPY tests/package.json tests/
# Install scripts are for running a Postgres of one's own, which an image does not.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY . .
ENV NX_DAEMON=false NX_TUI=false
RUN npm run build
# Seconds since 1970, the time of every file: builds of the same sources are the same.
ARG SOURCE_DATE_EPOCH=0
RUN node --conditions=@deja/source tools/image/assemble.ts /image

# Node, the libraries it loads, and nothing else: no shell, no package manager. Its layer is the same for all four.
FROM scratch AS runtime
# First the folder that belongs to the user: what is copied next gives those above it back to root.
COPY --from=build --chown=1000:1000 /image/data/ /
COPY --from=build /image/system/ /
ENV PATH=/usr/local/bin NODE_ENV=production HOST=0.0.0.0 DEJA_CONFIG=/etc/deja/deja.yaml DEJA_DATA_DIR=/var/lib/deja NODE_COMPILE_CACHE=/app/compiled
WORKDIR /app
# By number, so that Kubernetes can tell that it is not root.
USER 1000:1000
STOPSIGNAL SIGTERM
ARG NODE_IMAGE
ARG VERSION=0.0.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.vendor="deja" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.base.name="${NODE_IMAGE}"

FROM runtime AS gateway
COPY --from=build /image/gateway/ /
COPY --from=build /image/gateway-compiled/ /
LABEL org.opencontainers.image.title="deja-gateway" \
      org.opencontainers.image.description="deja's gateway: speaks OpenAI's API to clients and the admin API to operators"
# Load balancers are given that long to notice that no more is to be sent here; a process for each processor that the container may use; two arenas of malloc (libs/launcher/src/app-program.ts).
ENV DEJA_DRAIN_DELAY_S=5 DEJA_GATEWAY_WORKERS=auto MALLOC_ARENA_MAX=2
# What must outlive a crash: usage that Redis could not take.
VOLUME /var/lib/deja
EXPOSE 3000 9460
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "deploy/healthcheck.mjs", "9460"]
CMD ["node", "apps/gateway/out/main.mjs"]

FROM runtime AS router
COPY --from=build /image/router/ /
COPY --from=build /image/router-compiled/ /
LABEL org.opencontainers.image.title="deja-router" \
      org.opencontainers.image.description="deja's router: configuration, credentials, keys, and the health of providers"
EXPOSE 9461
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "deploy/healthcheck.mjs", "9461"]
CMD ["node", "apps/router/out/main.mjs"]

FROM runtime AS semantic-cache
COPY --from=build /image/semantic-cache/ /
COPY --from=build /image/semantic-cache-compiled/ /
LABEL org.opencontainers.image.title="deja-semantic-cache" \
      org.opencontainers.image.description="deja's semantic cache: finds the answer to a question that means the same"
EXPOSE 9462
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "deploy/healthcheck.mjs", "9462"]
CMD ["node", "apps/semantic-cache/out/main.mjs"]

FROM runtime AS usage-worker
COPY --from=build /image/usage-worker/ /
COPY --from=build /image/usage-worker-compiled/ /
LABEL org.opencontainers.image.title="deja-usage-worker" \
      org.opencontainers.image.description="deja's usage worker: the ledger, the request log and alerts"
EXPOSE 9463
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "deploy/healthcheck.mjs", "9463"]
CMD ["node", "apps/usage-worker/out/main.mjs"]
