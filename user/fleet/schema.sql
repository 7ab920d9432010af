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
-- it twice. Times in ns, as in the record; NULL where the record does not know.
CREATE TABLE IF NOT EXISTS tcpfin.closes
(
    id                 FixedString(32),
    final              UInt8,
    start              DateTime64(9, 'UTC') CODEC(Delta, ZSTD),
    end                DateTime64(9, 'UTC') CODEC(Delta, ZSTD),
    host               LowCardinality(String),
    interface          LowCardinality(String),
    community_id       String CODEC(ZSTD),
    source_ip          IPv6 CODEC(ZSTD),
    source_port        UInt16,
    source_isn         Nullable(UInt32),
    source_bytes       Nullable(UInt64),
    source_process     LowCardinality(String),
    source_unit        LowCardinality(String),
    source_container   String CODEC(ZSTD),
    destination_ip     IPv6 CODEC(ZSTD),
    destination_port   UInt16,
    destination_isn    Nullable(UInt32),
    destination_bytes  Nullable(UInt64),
    destination_process LowCardinality(String),
    destination_unit   LowCardinality(String),
    destination_container String CODEC(ZSTD),
    outcome            LowCardinality(String),
    pattern            LowCardinality(String),
    closer             LowCardinality(String),
    missing            LowCardinality(String),
    reset_by           LowCardinality(String),
    reset_phase        LowCardinality(String),
    reset_validity     LowCardinality(String),
    reset_reason       LowCardinality(String),
    reset_forged       Nullable(UInt8),
    handshake          Nullable(UInt64) CODEC(ZSTD),
    fin_to_ack         Nullable(UInt64) CODEC(ZSTD),
    half_closed        Nullable(UInt64) CODEC(ZSTD),
    peer_fin_to_ack    Nullable(UInt64) CODEC(ZSTD),
    close              Nullable(UInt64) CODEC(ZSTD),
    lifetime           Nullable(UInt64) CODEC(ZSTD),
    silence            Nullable(UInt64) CODEC(ZSTD),
    record             String CODEC(ZSTD(6))
)
ENGINE = ReplacingMergeTree(final)
PARTITION BY toDate(start)
ORDER BY (toStartOfHour(start), id)
TTL toDateTime(start) + INTERVAL 14 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS tcpfin.topic_to_closes TO tcpfin.closes AS
SELECT
    JSONExtractString(record, 'event', 'id') AS id,
    JSONExtractBool(record, 'tcp', 'final') AS final,
    parseDateTime64BestEffort(JSONExtractString(record, 'event', 'start'), 9, 'UTC') AS start,
    parseDateTime64BestEffort(JSONExtractString(record, 'event', 'end'), 9, 'UTC') AS end,
    JSONExtractString(record, 'host', 'name') AS host,
    JSONExtractString(record, 'observer', 'ingress', 'interface', 'name') AS interface,
    JSONExtractString(record, 'network', 'community_id') AS community_id,
    toIPv6(JSONExtractString(record, 'source', 'ip')) AS source_ip,
    JSONExtractUInt(record, 'source', 'port') AS source_port,
    JSONExtract(record, 'tcp', 'isn', 'source', 'Nullable(UInt32)') AS source_isn,
    JSONExtract(record, 'source', 'bytes', 'Nullable(UInt64)') AS source_bytes,
    JSONExtractString(record, 'source', 'process', 'name') AS source_process,
    JSONExtractString(record, 'source', 'process', 'unit') AS source_unit,
    JSONExtractString(record, 'source', 'container', 'id') AS source_container,
    toIPv6(JSONExtractString(record, 'destination', 'ip')) AS destination_ip,
    JSONExtractUInt(record, 'destination', 'port') AS destination_port,
    JSONExtract(record, 'tcp', 'isn', 'destination', 'Nullable(UInt32)') AS destination_isn,
    JSONExtract(record, 'destination', 'bytes', 'Nullable(UInt64)') AS destination_bytes,
    JSONExtractString(record, 'destination', 'process', 'name') AS destination_process,
    JSONExtractString(record, 'destination', 'process', 'unit') AS destination_unit,
    JSONExtractString(record, 'destination', 'container', 'id') AS destination_container,
    JSONExtractString(record, 'tcp', 'outcome') AS outcome,
    JSONExtractString(record, 'tcp', 'pattern') AS pattern,
    JSONExtractString(record, 'tcp', 'closer') AS closer,
    JSONExtractString(record, 'tcp', 'missing') AS missing,
    JSONExtractString(record, 'tcp', 'reset', 'by') AS reset_by,
    JSONExtractString(record, 'tcp', 'reset', 'phase') AS reset_phase,
    JSONExtractString(record, 'tcp', 'reset', 'validity') AS reset_validity,
    JSONExtractString(record, 'tcp', 'reset', 'reason') AS reset_reason,
    JSONExtract(record, 'tcp', 'reset', 'forged', 'Nullable(Bool)') AS reset_forged,
    JSONExtract(record, 'tcp', 'timing', 'initial_rtt', 'Nullable(UInt64)') AS handshake,
    JSONExtract(record, 'tcp', 'timing', 'fin_to_ack', 'Nullable(UInt64)') AS fin_to_ack,
    JSONExtract(record, 'tcp', 'timing', 'half_closed', 'Nullable(UInt64)') AS half_closed,
    JSONExtract(record, 'tcp', 'timing', 'peer_fin_to_ack', 'Nullable(UInt64)') AS peer_fin_to_ack,
    JSONExtract(record, 'tcp', 'timing', 'close', 'Nullable(UInt64)') AS close,
    JSONExtract(record, 'tcp', 'timing', 'lifetime', 'Nullable(UInt64)') AS lifetime,
    JSONExtract(record, 'tcp', 'silence', 'Nullable(UInt64)') AS silence,
    record
FROM tcpfin.topic
WHERE empty(_error) AND JSONExtractString(record, 'event', 'dataset') = 'tcpfin.close';

-- What could not be read, to be looked at.
CREATE TABLE IF NOT EXISTS tcpfin.unreadable (at DateTime, error String, message String)
ENGINE = MergeTree ORDER BY at TTL at + INTERVAL 7 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS tcpfin.topic_to_unreadable TO tcpfin.unreadable AS
SELECT now() AS at, _error AS error, _raw_message AS message FROM tcpfin.topic WHERE notEmpty(_error);

-- Closes a minute, by what charts ask for. Connections are counted by their names, so that one that comes twice counts
-- once; quantiles are of t-digests, within 1 %.
CREATE TABLE IF NOT EXISTS tcpfin.closes_by_minute
(
    minute       DateTime('UTC'),
    host         LowCardinality(String),
    outcome      LowCardinality(String),
    closer       LowCardinality(String),
    reset_reason LowCardinality(String),
    connections  AggregateFunction(uniqExact, FixedString(32)),
    close        AggregateFunction(quantilesTDigest(0.5, 0.9, 0.99), Nullable(UInt64)),
    half_closed  AggregateFunction(quantilesTDigest(0.5, 0.9, 0.99), Nullable(UInt64))
)
ENGINE = AggregatingMergeTree
PARTITION BY toYYYYMM(minute)
ORDER BY (minute, host, outcome, closer, reset_reason)
TTL minute + INTERVAL 400 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS tcpfin.closes_to_minutes TO tcpfin.closes_by_minute AS
SELECT
    toStartOfMinute(end) AS minute, host, outcome, closer, reset_reason,
    uniqExactState(id) AS connections,
    quantilesTDigestState(0.5, 0.9, 0.99)(close) AS close,
    quantilesTDigestState(0.5, 0.9, 0.99)(half_closed) AS half_closed
FROM tcpfin.closes
WHERE final
GROUP BY minute, host, outcome, closer, reset_reason;

-- Both ends of a connection: what each host saw of it. Records belong together by Community ID and both initial
-- sequence numbers, as for --join.
CREATE TABLE IF NOT EXISTS tcpfin.ends
(
    day             Date,
    community_id    String CODEC(ZSTD),
    isn_low         UInt32,
    isn_high        UInt32,
    views           AggregateFunction(groupUniqArray, Tuple(host String, interface String, id String, outcome String,
                                                            closer String, reset_by String))
)
ENGINE = AggregatingMergeTree
PARTITION BY day
ORDER BY (community_id, isn_low, isn_high, day)
TTL day + INTERVAL 14 DAY;

CREATE MATERIALIZED VIEW IF NOT EXISTS tcpfin.closes_to_ends TO tcpfin.ends AS
SELECT
    toDate(start) AS day, community_id,
    least(assumeNotNull(source_isn), assumeNotNull(destination_isn)) AS isn_low,
    greatest(assumeNotNull(source_isn), assumeNotNull(destination_isn)) AS isn_high,
    groupUniqArrayState(CAST((host, interface, id, outcome, closer, reset_by),
        'Tuple(host String, interface String, id String, outcome String, closer String, reset_by String)')) AS views
FROM tcpfin.closes
WHERE final AND source_isn IS NOT NULL AND destination_isn IS NOT NULL
GROUP BY day, community_id, isn_low, isn_high;

-- Connections that two hosts or interfaces saw.
CREATE VIEW IF NOT EXISTS tcpfin.joined AS
SELECT community_id, isn_low, isn_high, groupUniqArrayMerge(views) AS views
FROM tcpfin.ends
GROUP BY community_id, isn_low, isn_high
HAVING length(views) > 1;
