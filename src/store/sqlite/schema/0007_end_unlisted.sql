-- 1: only the certificate itself says when it ends, and its provider's list does not; else NULL
ALTER TABLE certificate ADD COLUMN end_unlisted INTEGER;
