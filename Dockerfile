# One image for every service of the mesh: docker build --build-arg SERVICE=broker .
# All services share every layer but the last.

FROM node:26-trixie-slim AS base
WORKDIR /app
# A user for each service, numbered once and for ever: their volumes belong to these numbers. They share the group that
# reads the list of users.
RUN groupadd --gid 10000 mesh \
 && for user in broker:10001 monitor-api:10002 sse-gateway:10003 db-writer:10004 \
                sms-gateway:10005 domoticz-bridge:10006 alarm:10007 linky-collector:10008 zigbee-bridge:10009; do \
      useradd --uid "${user#*:}" --gid mesh --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "${user%:*}"; \
    done \
 && ln -s /app/services/mesh-cli/bin/mesh.ts /usr/local/bin/mesh

# The package files alone: the dependencies are installed anew only when one of these changes.
FROM base AS manifests
RUN --mount=type=bind,target=/src \
    cd /src && find . \( -name package.json -o -name package-lock.json \) -exec cp --parents --target-directory=/app {} +

FROM base AS dependencies
COPY --from=manifests /app ./
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --no-audit --no-fund

FROM base AS mesh
ENV NODE_ENV=production
COPY --from=dependencies /app ./
COPY . .
ARG SERVICE
ENV SERVICE=$SERVICE
USER $SERVICE
# Ready, as the process itself says; asked without starting a second Node every few seconds.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --start-interval=1s --retries=3 \
  CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /health/ready HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r line <&3 && [[ $line == *' 200 '* ]]"]
# A small box: give memory back early. Flags, not NODE_OPTIONS, so that `mesh` beside it is not bound by them.
CMD ["sh", "-c", "exec node --max-semi-space-size=4 --max-old-space-size=${HEAP_MB:-128} --disable-warning=ExperimentalWarning node_modules/@monitor-mesh/$SERVICE/src/main.ts"]
