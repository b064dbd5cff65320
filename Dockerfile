# Carillon in one small image: `docker build -t carillon .`, then `docker run carillon serve`. The Swift runtime is linked in;
# what is left outside are the system libraries that the stream, the ledger and the courier stand on.

FROM swift:6.3.1-bookworm AS build
RUN apt-get update \
    && apt-get install -y --no-install-recommends libsqlite3-dev libcurl4-openssl-dev libpq-dev librdkafka-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /carillon
# The packages change seldom: fetched once for many builds.
COPY Package.swift ./
COPY Package.resolve[d] ./
RUN swift package resolve
COPY Sources Sources
COPY Benchmarks Benchmarks
COPY Tests Tests
COPY examples/embedded examples/embedded
COPY Scripts/release Scripts/release
RUN Scripts/release carillon \
    && install -D --strip "$(swift build -c release --show-bin-path)/carillon" /out/carillon

FROM debian:12.12-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates curl libsqlite3-0 libcurl4 libpq5 librdkafka1 libstdc++6 \
        tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system --gid 10001 carillon \
    && useradd --system --uid 10001 --gid carillon --no-create-home --home-dir /var/lib/carillon carillon \
    && install -d -m 0700 -o carillon -g carillon /var/lib/carillon
COPY --from=build /out/carillon /usr/local/bin/carillon
ENV CARILLON_HOME=/var/lib/carillon
USER 10001:10001
VOLUME /var/lib/carillon
WORKDIR /var/lib/carillon
EXPOSE 8420
# A drain takes what is on the wire at most: delivery.timeout and two seconds.
STOPSIGNAL SIGTERM
ENTRYPOINT ["carillon"]
CMD ["serve"]
