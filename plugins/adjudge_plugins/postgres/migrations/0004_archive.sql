-- Which parts of chains were archived is asked whenever a chain is read.
create index records_archive on adjudge.records (writer, seq) where kind = 'archive';
