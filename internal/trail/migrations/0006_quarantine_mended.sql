-- A record that was sent again as somebody mended it: who and why. Both are
-- empty where it was sent as it was.
ALTER TABLE quarantine_replay ADD COLUMN IF NOT EXISTS mended_by String DEFAULT '' CODEC(ZSTD(1));
ALTER TABLE quarantine_replay ADD COLUMN IF NOT EXISTS mended_why String DEFAULT '' CODEC(ZSTD(1));
