-- SPDX-License-Identifier: GPL-2.0-or-later
-- Questions that people ask, over all hosts. Each stands alone.

-- Which services reset connections, to whom, and why?
SELECT if(tcp.reset.by = 'source', source.process.name, destination.process.name) AS process,
       if(tcp.reset.by = 'source', destination.ip, source.ip) AS peer, tcp.reset.reason AS reason, count() AS resets
FROM tcpfin.closes FINAL
WHERE tcp.outcome = 'reset' AND start > now() - INTERVAL 1 HOUR
GROUP BY process, peer, reason
ORDER BY resets DESC
LIMIT 20;

-- Outcomes a minute.
SELECT minute, outcome, uniqExactMerge(connections) AS connections
FROM tcpfin.closes_by_minute
WHERE minute > now() - INTERVAL 1 DAY
GROUP BY minute, outcome
ORDER BY minute, outcome;

-- How long a close takes, by host: median, 90th and 99th percentile, ns.
SELECT host, quantilesTDigestMerge(0.5, 0.9, 0.99)(close) AS close
FROM tcpfin.closes_by_minute
WHERE minute > now() - INTERVAL 1 HOUR
GROUP BY host
ORDER BY host;

-- Which application never closes its side?
SELECT if(tcp.missing = 'source_fin', source.process.name, destination.process.name) AS process, host, count() AS closes
FROM tcpfin.closes FINAL
WHERE tcp.outcome = 'unfinished' AND tcp.missing IN ('source_fin', 'destination_fin') AND start > now() - INTERVAL 1 DAY
GROUP BY process, host
ORDER BY closes DESC
LIMIT 20;

-- Connections that were reset in between: one end saw an RST of the other, which says that it did not close so.
SELECT community_id, views
FROM tcpfin.joined
WHERE arrayExists(view -> view.outcome = 'reset', views) AND arrayExists(view -> view.outcome != 'reset', views)
LIMIT 20;

-- Resets after a long silence: which path forgets its connections, and after how long?
SELECT destination.ip AS ip, destination.port AS port, count() AS resets,
       quantile(0.5)(tcp.silence) / 1e9 AS seconds_of_silence
FROM tcpfin.closes FINAL
WHERE tcp.outcome = 'reset' AND tcp.silence > 60000000000 AND start > now() - INTERVAL 1 DAY
GROUP BY ip, port
ORDER BY resets DESC
LIMIT 20;
