"""What each event makes of a job's record, field by field. Which event may come when stands in `transitions`.

Here belong pure functions from a record and an event to the fields that change. Here do not belong: decisions
(`rules`), and anything that is not in the event or the record.
"""
