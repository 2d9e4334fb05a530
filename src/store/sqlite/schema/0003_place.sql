-- What was called the fingerprint is the digest of the row; the fingerprint is that of the certificate. Columns at the end
-- cost a row nothing where they are NULL, and no row is rewritten to have them.
ALTER TABLE certificate RENAME COLUMN fingerprint TO row_digest;
ALTER TABLE certificate ADD COLUMN place TEXT;          -- where it was looked at; NULL is nowhere, it was listed
ALTER TABLE certificate ADD COLUMN fingerprint BLOB;    -- SHA-256 of the DER; NULL is unknown
ALTER TABLE certificate ADD COLUMN collides INTEGER;    -- 1: the fingerprint is part of the identity; else NULL
ALTER TABLE certificate ADD COLUMN signer TEXT;         -- NULL is the issuer, '' is unknown
ALTER TABLE certificate ADD COLUMN signs TEXT;          -- NULL is the serial
