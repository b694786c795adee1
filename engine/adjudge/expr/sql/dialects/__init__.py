"""What each database's SQL says in its own words, a module each; `dialect` has what they share."""
