-- How long a log is in bytes: an item is one note, or an import of hundreds.
alter table stream_head add column bytes integer not null default 0;
update stream_head set bytes = (select coalesce(sum(length(sealed)), 0) from log
    where log.unit = stream_head.unit and log.compartment = stream_head.compartment);
-- Who is in a unit beside those at home in it, in the order row segments are built in.
create index share_by_unit on share (tenant, unit, patient);
