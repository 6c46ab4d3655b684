# One image with both programs, api and worker; docker-compose.yml says which one a container runs.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
COPY . .
# Queries are checked against .sqlx: the build needs no database. The caches outlive a changed source file.
ENV SQLX_OFFLINE=true
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package api --package worker \
    && mkdir /programs \
    && cp target/release/api target/release/worker /programs/

FROM debian:bookworm-slim
# Certificates: for calls to messaging providers and to a model.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home frontdesk
COPY --from=build /programs/api /programs/worker /usr/local/bin/
COPY clinic.toml /etc/frontdesk/clinic.toml
USER frontdesk
# Another clinic: mount its file here.
ENV CLINIC_CONFIG=/etc/frontdesk/clinic.toml
EXPOSE 8000
CMD ["api"]
