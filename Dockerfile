# Built and run on the same Debian release, so that the C library fits.
FROM rust:1.95-slim-trixie AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package groovebase-api && strip target/release/groovebase

FROM debian:trixie-slim
RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 groovebase \
    && useradd --uid 10001 --gid 10001 --create-home --home-dir /data --shell /usr/sbin/nologin groovebase
COPY --from=build /source/target/release/groovebase /usr/local/bin/groovebase
# By number, so that whoever runs the image can tell that it is not root.
USER 10001:10001
# Without a database URL the embedded store lies here; mount a volume to keep it.
WORKDIR /data
VOLUME /data
ENV GROOVEBASE_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --retries=12 CMD ["groovebase", "health"]
ENTRYPOINT ["groovebase"]
CMD ["serve"]
