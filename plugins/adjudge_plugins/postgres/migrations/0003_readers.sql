-- Which worker feeds a reader of the log, and until when unless it says so again.
create table adjudge.feeders (
    reader text primary key,
    holder text not null,
    until timestamptz not null
);
