-- SPDX-License-Identifier: GPL-2.0-or-later
-- Records of tcpfin-trace from a topic of Kafka into ClickHouse, 24 or later. Change the brokers and the topic in
-- tcpfin.topic, and how long rows are kept in the TTL of each table; README.md has what the tables are for.

CREATE DATABASE IF NOT EXISTS tcpfin;

-- The topic. A message that is no JSON becomes a row with _error and stops nothing.
CREATE TABLE IF NOT EXISTS tcpfin.topic (record String)
ENGINE = Kafka
SETTINGS kafka_broker_list = 'localhost:9092',
         kafka_topic_list = 'tcpfin.closes',
         kafka_group_name = 'tcpfin',
         kafka_format = 'JSONAsString',
         kafka_num_consumers = 1,
         kafka_max_block_size = 65536,
         kafka_flush_interval_ms = 2000,
         kafka_handle_error_mode = 'stream';

-- One row a connection and watch: the last record takes the place of interim ones, and of itself where Kafka delivers
-- it twice. What is asked for often is parsed once and has the names of the record: tcp.outcome, source.process.name.
-- END stands for both ends; parsed is in parentheses because a column's default finds no parsed.x. Times in ns, as in
-- the record; NULL where the record does not know. A message that only looks like a record stops nothing: its row is of
-- 1970, and goes by the TTL.
CREATE TABLE IF NOT EXISTS tcpfin.closes
(
    record       String CODEC(ZSTD(6)),
    parsed       EPHEMERAL JSONExtract(record, replaceAll('Tuple(
                     event       Tuple(id String, start String, end String),
                     host        Tuple(name LowCardinality(String)),
                     observer    Tuple(ingress Tuple(interface Tuple(name LowCardinality(String)))),
                     network     Tuple(community_id String),
                     source      END,
                     destination END,
                     tcp         Tuple(
                         final   UInt8,
                         outcome LowCardinality(String),
                         pattern LowCardinality(String),
                         closer  LowCardinality(String),
                         missing LowCardinality(String),
                         reset   Tuple(
                             by       LowCardinality(String),
                             phase    LowCardinality(String),
                             validity LowCardinality(String),
                             reason   LowCardinality(String),
                             forged   Nullable(Bool)),
                         timing  Tuple(
                             initial_rtt     Nullable(UInt64),
                             fin_to_ack      Nullable(UInt64),
                             half_closed     Nullable(UInt64),
                             peer_fin_to_ack Nullable(UInt64),
                             close           Nullable(UInt64),
                             lifetime        Nullable(UInt64)),
                         silence Nullable(UInt64),
                         isn     Tuple(source Nullable(UInt32), destination Nullable(UInt32))))', 'END', 'Tuple(
                             ip        IPv6,
                             port      UInt16,
                             bytes     Nullable(UInt64),
                             process   Tuple(name LowCardinality(String), unit LowCardinality(String)),
                             container Tuple(id String))')),
    id           FixedString(32) DEFAULT left((parsed).event.id, 32),
    final        UInt8 DEFAULT (parsed).tcp.final,
    start        DateTime64(9, 'UTC') DEFAULT parseDateTime64BestEffortOrZero((parsed).event.start, 9, 'UTC')
                 CODEC(Delta, ZSTD),
    end          DateTime64(9, 'UTC') DEFAULT parseDateTime64BestEffortOrZero((parsed).event.end, 9, 'UTC')
                 CODEC(Delta, ZSTD),
    host         DEFAULT (parsed).host.name,
    interface    DEFAULT (parsed).observer.ingress.interface.name,
    community_id DEFAULT (parsed).network.community_id CODEC(ZSTD),
    source       DEFAULT (parsed).source CODEC(ZSTD),
    destination  DEFAULT (parsed).destination CODEC(ZSTD),
    tcp          DEFAULT (parsed).tcp CODEC(ZSTD)
)
ENGINE = ReplacingMergeTree(final)
PARTITION BY toDate(start)
ORDER BY (toStartOfHour(start), id)
TTL toDateTime(start) + INTERVAL 14 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS tcpfin.topic_to_closes TO tcpfin.closes AS
SELECT record FROM tcpfin.topic WHERE empty(_error) AND JSONExtractString(record, 'event', 'dataset') = 'tcpfin.close';

-- What could not be read, to be looked at.
CREATE TABLE IF NOT EXISTS tcpfin.unreadable (at DateTime, error String, message String)
ENGINE = MergeTree ORDER BY at TTL at + INTERVAL 7 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS tcpfin.topic_to_unreadable TO tcpfin.unreadable AS
SELECT now() AS at, _error AS error, _raw_message AS message FROM tcpfin.topic WHERE notEmpty(_error);

-- Closes a minute, by what charts ask for. Connections are counted by their names, so that one that comes twice counts
-- once; quantiles are of t-digests, within 1 %. Rows belong to this view, and are dropped with it.
CREATE MATERIALIZED VIEW IF NOT EXISTS tcpfin.closes_by_minute
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, host, outcome, closer, reset_reason)
TTL minute + INTERVAL 400 DAY
AS SELECT
    toStartOfMinute(end) AS minute, host, tcp.outcome AS outcome, tcp.closer AS closer,
    tcp.reset.reason AS reset_reason,
    uniqExactState(id) AS connections,
    quantilesTDigestState(0.5, 0.9, 0.99)(tcp.timing.close) AS close,
    quantilesTDigestState(0.5, 0.9, 0.99)(tcp.timing.half_closed) AS half_closed
FROM tcpfin.closes
WHERE final
GROUP BY minute, host, outcome, closer, reset_reason;

-- Both ends of a connection: what each host saw of it. Records belong together by Community ID and both initial
-- sequence numbers, as for --join. Rows belong to this view, and are dropped with it.
CREATE MATERIALIZED VIEW IF NOT EXISTS tcpfin.ends
ENGINE = AggregatingMergeTree
PARTITION BY day
ORDER BY (community_id, isn_low, isn_high, day)
TTL day + INTERVAL 14 DAY
AS SELECT
    toDate(start) AS day, community_id,
    least(assumeNotNull(tcp.isn.source), assumeNotNull(tcp.isn.destination)) AS isn_low,
    greatest(assumeNotNull(tcp.isn.source), assumeNotNull(tcp.isn.destination)) AS isn_high,
    groupUniqArrayState(CAST((host, interface, id, tcp.outcome, tcp.closer, tcp.reset.by),
        'Tuple(host String, interface String, id String, outcome String, closer String, reset_by String)')) AS views
FROM tcpfin.closes
WHERE final AND tcp.isn.source IS NOT NULL AND tcp.isn.destination IS NOT NULL
GROUP BY day, community_id, isn_low, isn_high;

-- Connections that two hosts or interfaces saw.
CREATE VIEW IF NOT EXISTS tcpfin.joined AS
SELECT community_id, isn_low, isn_high, groupUniqArrayMerge(views) AS views
FROM tcpfin.ends
GROUP BY community_id, isn_low, isn_high
HAVING length(views) > 1;
