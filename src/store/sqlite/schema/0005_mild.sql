-- What is said of a certificate that is not in use is said mildly, and again once it is in use.
ALTER TABLE ledger ADD COLUMN mild INTEGER;             -- 1: it was not in use; else NULL
UPDATE ledger SET mild = 1 WHERE (SELECT status FROM certificate WHERE id = certificate_id) IN (1, 2);
