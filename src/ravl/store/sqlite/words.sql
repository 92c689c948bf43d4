-- The full-text index, of what ravl.store.keywords makes of the texts of a row.

CREATE VIRTUAL TABLE keywords USING fts5 (
  texts, label, tags, qa, columns, name,
  tokenize = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
);
