-- The statistics that the collector answers with, one row for each meter of each resource.
-- `sqlite3 metering.db < statistics.sql` prints the same figures: parameters that are not set select all.
-- rate: a counter's growth per second between its first and its last sample. A smaller value than the
-- one before is a reset, and that step counts nothing.
SELECT meter, resource, kind, unit,
       count(*) AS count,
       min(value) AS min,
       avg(value) AS avg,
       max(value) AS max,
       CASE WHEN kind = 'cumulative' AND max(time_ns) > min(time_ns)
            THEN sum(max(growth, 0.0)) * 1e9 / (max(time_ns) - min(time_ns)) END AS rate
FROM (SELECT *, value - lag(value) OVER (PARTITION BY meter, resource ORDER BY time_ns) AS growth
      FROM samples
      WHERE (:meter IS NULL OR meter = :meter)
        AND (:resource IS NULL OR resource = :resource)
        AND (:from_ns IS NULL OR time_ns >= :from_ns)
        AND (:until_ns IS NULL OR time_ns < :until_ns))
GROUP BY meter, resource, kind, unit
ORDER BY meter, resource, kind, unit;
