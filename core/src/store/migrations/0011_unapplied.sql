-- Of items kept unread that could be read and not applied: which change of which document each is about.
CREATE TABLE unapplied (
    document BLOB NOT NULL, unit BLOB NOT NULL, compartment INTEGER NOT NULL, seq INTEGER NOT NULL,
    hash_check INTEGER NOT NULL,
    PRIMARY KEY (document, unit, compartment, seq)
) WITHOUT ROWID;
