-- In the order row segments are built in.
create index document_by_stream on document (tenant, unit, compartment, patient);
