-- Indices by which pictures are found in a memory of many rows; see picture_lookup.py.

CREATE INDEX IF NOT EXISTS rows_by_hash ON rows (hash) WHERE hash IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_band_0 ON rows ((phash >> 0) & 65535, phash)
  WHERE phash IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_band_1 ON rows ((phash >> 16) & 65535, phash)
  WHERE phash IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_band_2 ON rows ((phash >> 32) & 65535, phash)
  WHERE phash IS NOT NULL;
CREATE INDEX IF NOT EXISTS rows_by_band_3 ON rows ((phash >> 48) & 65535, phash)
  WHERE phash IS NOT NULL;
