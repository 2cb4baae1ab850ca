-- What stands for the state of a document of which only the rows are here, as the segment that brought them has it.
ALTER TABLE document ADD COLUMN leaf INTEGER;
