"""Classroom faults: break a lab, repair it, and grade a student's own repair."""
