-- What happened. Append-only; what is old or too much goes from its beginning.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    certificate TEXT,                  -- the id of the certificate that it is about; NULL is none
    body TEXT NOT NULL                 -- JSON
) STRICT;
CREATE INDEX audit_at ON audit (at);
CREATE INDEX audit_certificate ON audit (certificate, number) WHERE certificate IS NOT NULL;

-- How much that is, so that nobody has to add it up.
CREATE TABLE audit_size (bytes INTEGER NOT NULL, dropped INTEGER NOT NULL) STRICT;
INSERT INTO audit_size (bytes, dropped) VALUES (0, 0);

-- Ends that certificates had before the present one, ten of each at most.
CREATE TABLE former_end (
    number INTEGER PRIMARY KEY,
    certificate_id INTEGER NOT NULL,
    not_after INTEGER NOT NULL,
    until INTEGER NOT NULL             -- when another one was seen
) STRICT;
CREATE INDEX former_end_certificate ON former_end (certificate_id, number);

-- The id of the certificate that an event is about; NULL is none, and unknown for events of before.
ALTER TABLE event ADD COLUMN certificate TEXT;
CREATE INDEX event_certificate ON event (certificate) WHERE certificate IS NOT NULL;
