-- The order in which entries came into the journal, kept through merges: of
-- ranges that overlap it tells which one alone may have been sent.
ALTER TABLE journal MODIFY SETTING enable_block_number_column = 1;
