-- People of several units write one chart item: the unit of whose change was projected last said nothing.
ALTER TABLE chart_item DROP COLUMN unit;
