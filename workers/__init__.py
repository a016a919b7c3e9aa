"""Machines: RQ jobs that begin, work and finish; the outbox; the timetable. The database is the truth, the queue is a hint."""
