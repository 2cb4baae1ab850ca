-- Entries that came in a segment (they carry their seq) are found by patient and id: in the order they come in, where an
-- index by id alone would be filled in random order. All others are found by their id.
DROP INDEX entry_by_id;
CREATE UNIQUE INDEX entry_by_id ON entry (id) WHERE seq IS NULL;
CREATE INDEX entry_of_segment ON entry (patient, id) WHERE seq IS NOT NULL;

-- How many entries count in the statistics, of each unit and kind: for each hour of the week (0 is Monday's first) 8 bytes,
-- big-endian. What writes the rows keeps them, once for all the rows of a step.
CREATE TABLE entry_hours (unit BLOB NOT NULL, kind TEXT NOT NULL, hours BLOB NOT NULL, PRIMARY KEY (unit, kind)) WITHOUT ROWID;
WITH RECURSIVE week (hour) AS (SELECT 0 UNION ALL SELECT hour + 1 FROM week WHERE hour < 167)
INSERT INTO entry_hours (unit, kind, hours)
  SELECT counted.unit, counted.kind, unhex(group_concat(printf('%016X', coalesce(entry_count.entries, 0)), '' ORDER BY week.hour))
  FROM (SELECT DISTINCT unit, kind FROM entry_count WHERE entries > 0) AS counted CROSS JOIN week
  LEFT JOIN entry_count USING (unit, kind, hour) GROUP BY counted.unit, counted.kind;
DROP TRIGGER entry_replaced;
DROP TRIGGER entry_added;
DROP TRIGGER entry_removed;
DROP TRIGGER entry_counts_no_more;
DROP TRIGGER entry_counts_again;
DROP TABLE entry_count;
