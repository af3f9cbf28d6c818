# One file, one target for each app:  docker build --target gateway -t deja-gateway .
# Written so that old engines build it: no frontend line, no mounts, no here-documents.
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
# Of the runtime of neural models only what this machine loads: 46 MB instead of 288. Where it was not installed, words decide alone.
RUN rm -rf models/*/train && mkdir -p native && for name in onnxruntime-node onnxruntime-common; do \
      if [ -d "node_modules/$name" ]; then cp -r "node_modules/$name" native/; fi; done \
 && if [ -d native/onnxruntime-node ]; then cd native/onnxruntime-node && rm -rf bin/napi-v6/darwin bin/napi-v6/win32 script lib \
 && find bin/napi-v6/linux -mindepth 1 -maxdepth 1 ! -name "$(node -p process.arch)" -exec rm -rf {} +; fi

FROM ${NODE_IMAGE} AS runtime
ENV NODE_ENV=production HOST=0.0.0.0 DEJA_CONFIG=/etc/deja/deja.yaml DEJA_DATA_DIR=/var/lib/deja
WORKDIR /app
RUN mkdir -p /etc/deja /var/lib/deja && chown node:node /var/lib/deja
COPY LICENSE NOTICE ./
COPY deploy/healthcheck.mjs deploy/
USER node

FROM runtime AS gateway
COPY --from=build /src/apps/gateway/out apps/gateway/out
# What must outlive a crash: usage that Redis could not take.
VOLUME /var/lib/deja
EXPOSE 3000 9460
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "deploy/healthcheck.mjs", "9460"]
CMD ["node", "--enable-source-maps", "apps/gateway/out/main.mjs"]

FROM runtime AS router
COPY --from=build /src/apps/router/out apps/router/out
COPY apps/router/migrations apps/router/migrations
EXPOSE 9461
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "deploy/healthcheck.mjs", "9461"]
CMD ["node", "--enable-source-maps", "apps/router/out/main.mjs"]

FROM runtime AS semantic-cache
COPY --from=build /src/apps/semantic-cache/out apps/semantic-cache/out
COPY --from=build /src/native node_modules
COPY --from=build /src/models models
EXPOSE 9462
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "deploy/healthcheck.mjs", "9462"]
CMD ["node", "--enable-source-maps", "apps/semantic-cache/out/main.mjs"]

FROM runtime AS usage-worker
COPY --from=build /src/apps/usage-worker/out apps/usage-worker/out
COPY apps/usage-worker/migrations apps/usage-worker/migrations
EXPOSE 9463
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "deploy/healthcheck.mjs", "9463"]
CMD ["node", "--enable-source-maps", "apps/usage-worker/out/main.mjs"]
