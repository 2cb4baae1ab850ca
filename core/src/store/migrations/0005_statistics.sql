-- How many entries count in the statistics, for each unit, kind and hour of the week (0 is Monday's first, by the clock of
-- the zone the entry was made in). An entry counts that is final and does not retract another one. Triggers keep it,
-- whoever writes the rows.
CREATE TABLE entry_count (
  unit BLOB NOT NULL, kind TEXT NOT NULL, hour INTEGER NOT NULL, entries INTEGER NOT NULL,
  PRIMARY KEY (unit, kind, hour)
) WITHOUT ROWID;
INSERT INTO entry_count (unit, kind, hour, entries)
  SELECT unit, kind, (((entry.occurred_ms + entry.occurred_offset * 60000 + 259200000) % 604800000) + 604800000) % 604800000 / 3600000, count(*)
  FROM entry WHERE status = 0 AND relation <> 2 GROUP BY 1, 2, 3;
-- A row that another one takes the place of goes without a DELETE.
CREATE TRIGGER entry_replaced BEFORE INSERT ON entry WHEN EXISTS (SELECT 1 FROM entry WHERE id = NEW.id) BEGIN
  UPDATE entry_count SET entries = entries - 1 WHERE (unit, kind, hour) = (
    SELECT unit, kind, (((entry.occurred_ms + entry.occurred_offset * 60000 + 259200000) % 604800000) + 604800000) % 604800000 / 3600000
    FROM entry WHERE id = NEW.id AND status = 0 AND relation <> 2);
END;
CREATE TRIGGER entry_added AFTER INSERT ON entry WHEN NEW.status = 0 AND NEW.relation <> 2 BEGIN
  INSERT INTO entry_count (unit, kind, hour, entries)
  VALUES (NEW.unit, NEW.kind, (((NEW.occurred_ms + NEW.occurred_offset * 60000 + 259200000) % 604800000) + 604800000) % 604800000 / 3600000, 1)
  ON CONFLICT (unit, kind, hour) DO UPDATE SET entries = entries + 1;
END;
CREATE TRIGGER entry_removed AFTER DELETE ON entry WHEN OLD.status = 0 AND OLD.relation <> 2 BEGIN
  UPDATE entry_count SET entries = entries - 1
  WHERE unit = OLD.unit AND kind = OLD.kind AND hour = (((OLD.occurred_ms + OLD.occurred_offset * 60000 + 259200000) % 604800000) + 604800000) % 604800000 / 3600000;
  DELETE FROM entry_count WHERE unit = OLD.unit AND kind = OLD.kind AND hour = (((OLD.occurred_ms + OLD.occurred_offset * 60000 + 259200000) % 604800000) + 604800000) % 604800000 / 3600000 AND entries <= 0;
END;
CREATE TRIGGER entry_counts_no_more AFTER UPDATE OF status ON entry
WHEN OLD.status = 0 AND NEW.status <> 0 AND OLD.relation <> 2 BEGIN
  UPDATE entry_count SET entries = entries - 1
  WHERE unit = OLD.unit AND kind = OLD.kind AND hour = (((OLD.occurred_ms + OLD.occurred_offset * 60000 + 259200000) % 604800000) + 604800000) % 604800000 / 3600000;
END;
CREATE TRIGGER entry_counts_again AFTER UPDATE OF status ON entry
WHEN OLD.status <> 0 AND NEW.status = 0 AND NEW.relation <> 2 BEGIN
  INSERT INTO entry_count (unit, kind, hour, entries)
  VALUES (NEW.unit, NEW.kind, (((NEW.occurred_ms + NEW.occurred_offset * 60000 + 259200000) % 604800000) + 604800000) % 604800000 / 3600000, 1)
  ON CONFLICT (unit, kind, hour) DO UPDATE SET entries = entries + 1;
END;
