"""Classroom faults: what break does to a lab, what repair undoes, how a student's own repair is graded."""
